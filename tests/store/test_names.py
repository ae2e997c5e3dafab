"""What a study may be called, in every store, and what becomes of studies that are called otherwise already."""

from __future__ import annotations

import optuna
import pytest
from storefiles import FILES, add
from stores import plain

from hpo.search.store import open_store
from hpo.search.terms.errors import HpoError, UserError

optuna.logging.set_verbosity(optuna.logging.WARNING)


REFUSED = ("", " ", ".", "..", "a/b", "a\\b", "/", "-x", "--fresh", "a\nb", "a\x1bb", "a\u202eb", "a\udcffb", "a\0b",
           "x" * 201, "x" * 5000, "字" * 100, " a", "a ", "s.yaml")  # fmt: skip


@pytest.mark.parametrize("study", REFUSED, ids=ascii)
def test_a_name_that_cannot_be_is_refused_by_every_store(location, study):
    for store in (open_store(":memory:"), open_store(location)):
        with pytest.raises(UserError, match=r"name|called") as caught:
            store.session(study, ["minimize"])
        assert "\n" not in str(caught.value)
        assert str(caught.value).isprintable()
        assert store.names() == []
        assert store.read(study) is None
        assert store.running(study) is None
        with pytest.raises(UserError, match="there is no study"):
            store.delete(study)


@pytest.mark.parametrize(
    "study", ["a/b", "..", ".", "-x", "x" * 400, "a\x1bb", "a\nb", " a", "\u202e", "s.yaml"], ids=ascii
)
def test_a_study_that_has_such_a_name_already_is_shown_and_deleted(location, study):
    store = open_store(location)
    with plain(store) as storage:
        optuna.create_study(study_name=study, storage=storage).add_trial(optuna.trial.create_trial(value=1.0))
    assert store.names() == [study]
    assert len(store.read(study).trials) == 1
    assert store.running(study) is None
    store.delete(study)
    assert store.names() == []


@pytest.mark.parametrize("name", FILES)
def test_study_names_may_hold_any_visible_letter(tmp_path, name):
    store = open_store(tmp_path / name)
    for study in ("ü 'quoted' \"%s\" ?", "学習", "x" * 200, "...", "a.b", "*[bold]", "100%"):
        add(tmp_path / name, name=study)
        assert len(store.read(study).trials) == 1
        with store.session(study, ["minimize"]), pytest.raises(HpoError, match="is being run by"):
            store.session(study, ["minimize"])
