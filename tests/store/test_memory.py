"""Studies in memory: the same as on disk, for as long as the store lives."""

import pytest

import hpo
from hpo.search.store import open_store
from hpo.search.terms.errors import UserError


def bowl(*, x: float = 0.0, epochs: int = 3):
    for epoch in range(epochs):
        yield {"value": (x - 2) ** 2 + 1 / (epoch + 1)}


def test_a_study_in_memory_equals_one_on_disk(tmp_path):
    settings = {"search": {"x": {"float": [0, 4]}}, "goal": "minimize value", "trials": 15}
    kept, stored = (hpo.run(bowl, storage=place, **settings) for place in (":memory:", str(tmp_path / "x.db")))
    assert kept.recipe == stored.recipe
    assert [trial.curve for trial in kept.report.trials] == [trial.curve for trial in stored.report.trials]
    assert kept.store.names() == stored.store.names()


def test_a_study_in_memory_is_read_by_plain_optuna():
    import optuna

    settings = {"search": {"x": {"float": [0, 4]}}, "goal": "minimize value", "trials": 5, "confirm": "none"}
    result = hpo.run(bowl, storage=":memory:", **settings)
    study = optuna.load_study(study_name="bowl", storage=result.store.storage())
    assert [trial.params for trial in study.trials] == [dict(trial.point) for trial in result.report.trials]


def test_one_session_at_a_time_and_nothing_after_deletion():
    store = open_store(":memory:")
    with store.session("a", ["minimize"]) as session:
        session.study.set_user_attr("k", 1)
        session.commit()
        with pytest.raises(UserError, match="open already"):
            store.session("a", ["minimize"])
        with pytest.raises(UserError, match="open"):
            store.delete("a")
    assert store.read("a").user_attrs == {"k": 1}
    store.delete("a")
    assert store.names() == []
