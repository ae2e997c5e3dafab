"""Weights by class: as scikit-learn counts them, and as the user says, by names, in studies and their choices."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

import hpo
from hpo.objectives.data.class_weights import numbered, weights_of
from hpo.search.terms.domain import Choice
from hpo.search.terms.errors import UserError
from hpo.search.terms.study import Study

Y = np.array([0] * 30 + [1] * 8 + [2] * 2)


def test_balanced_weights_are_scikit_learns() -> None:
    expected = compute_class_weight("balanced", classes=np.arange(3), y=Y)
    assert weights_of("balanced", Y, 3) == pytest.approx(expected)
    assert weights_of("sqrt", Y, 3) == pytest.approx(np.sqrt(expected))


@pytest.mark.parametrize(
    ("written", "labels", "weights"),
    [
        ('{"no": 1, "yes": 10}', ("no", "yes"), [1, 10]),
        ('{"yes": 0.5}', ("no", "yes"), [1, 0.5]),
        ('{"0": 1, "1": 10}', ("no", "yes"), [1, 10]),
        ('{"1": 3}', (1, 2), [3, 1]),  # what the table calls 1 is meant, not the second class
    ],
)
def test_the_users_own_go_by_label_then_by_number(
    written: str, labels: tuple[object, ...], weights: list[float]
) -> None:
    assert weights_of(numbered(written, labels, 2), Y, 2).tolist() == weights


def test_a_class_that_there_is_none_of_is_told() -> None:
    with pytest.raises(UserError, match="no class 'yess': did you mean 'yes'"):
        numbered('{"yess": 2}', ("no", "yes"), 2)


STUDY = """# s
objective: {objective}
data: {{table: {{path: t.csv, target: bought}}}}
goal: maximize val_recall
search:
  class_weight: {{choice: [{plain}, {{no: 1, yes: 20}}]}}
fixed: {{{fixed}}}
sampler: grid
confirm: none
pruner: none
"""


@pytest.mark.parametrize(
    ("objective", "plain", "fixed"),
    [
        ("sklearn", "null", "estimator: LogisticRegression, folds: 2"),
        ("sklearn", "null", "estimator: GaussianNB, folds: 2"),  # takes them row by row
        ("mlp", "none", "epochs: 5, width: 8"),
    ],
)
def test_a_study_searches_them_and_a_heavy_class_is_found_more_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, objective: str, plain: str, fixed: str
) -> None:
    monkeypatch.chdir(tmp_path)
    draw = np.random.default_rng(0)
    rare = draw.random(200) < 0.15
    lines = [f"{a + r:.4f},{'yes' if r else 'no'}" for a, r in zip(draw.normal(size=200), rare, strict=True)]
    Path("t.csv").write_text("\n".join(["a,bought", *lines]))
    Path("s.yaml").write_text(STUDY.format(objective=objective, plain=plain, fixed=fixed))
    found = hpo.run("s.yaml", storage="s.db")
    assert found.recipe["class_weight"] == '{"no": 1, "yes": 20}'


def test_a_fixed_mapping_is_taken_and_mistakes_in_it_are_told(
    study: Callable[..., Study], mistakes: Callable[..., list[str]]
) -> None:
    text = "# s\nobjective: sklearn\ngoal: maximize val_accuracy\nsearch: {C: {float: [1, 2]}}\n"
    text += "fixed: {estimator: LogisticRegression, class_weight: WEIGHTS}\n"
    assert study(text.replace("WEIGHTS", "{0: 1, 1: 10}")).fixed["class_weight"] == '{"0": 1, "1": 10}'
    assert "class_weight takes" in mistakes(text.replace("WEIGHTS", "{0: heavy}"))[0]
    assert "class_weight takes one of balanced, sqrt" in mistakes(text.replace("WEIGHTS", "balnced"))[0]
    searched = text.replace(", class_weight: WEIGHTS", "").replace(
        "[1, 2]}", "[1, 2]}, class_weight: {choice: [{0: 2}]}"
    )
    assert study(searched).space["class_weight"].domain == Choice(('{"0": 2}',))
