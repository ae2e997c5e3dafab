"""Scripts with the pruning callbacks of optuna-integration run as they are: what these report is the curve."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpo.search import studyfile
from hpo.search.running.training import Trainer
from hpo.search.terms.job import Finished, Job, Point

SCRIPTS = Path(__file__).parent / "callback_scripts"


@pytest.mark.parametrize(
    ("script", "library", "knobs", "points"),
    [
        ("boosted", "lightgbm", {"lambda_l2", "num_leaves", "feature_fraction"}, 6),
        ("gradient", "xgboost", {"booster", "max_depth", "eta", "rate_drop"}, 6),
        ("lit", "lightning", {"width", "lr"}, 3),
    ],
)
@pytest.mark.filterwarnings("ignore")  # these libraries', of one another
def test_what_a_callback_reports_is_the_curve(script: str, library: str, knobs: set[str], points: int) -> None:
    pytest.importorskip(library, reason=f"{library} is not installed")
    pytest.importorskip("optuna_integration", reason="optuna-integration is not installed")
    study = studyfile.read(str(SCRIPTS / f"{script}.py"))
    assert set(study.space.names()) == knobs
    trainer, job = Trainer(study.task), Job(0, study.recipe(next(iter(study.space.spread(1, {}))), 0))
    run, curve = trainer.start(job), list[float]()
    while isinstance(event := trainer.advance(run, job), Point):
        curve.append(event.metrics["value"])
    assert isinstance(event, Finished), event
    assert points <= len(curve) <= points + 1  # one more where the value returned is another
