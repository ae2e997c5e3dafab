"""What libraries warn about is told in plain sentences, each once a study."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from hpo.search.cli import main
from hpo.search.terms.warned import once

WARNING = """
import warnings

def train(*, x: float = 0.0):
    for step in range(3):
        with warnings.catch_warnings():  # forgets what was shown before
            warnings.warn("this will change", FutureWarning)
        yield {"loss": x}
"""

STUDY = """
objective: ./mine.py
goal: minimize loss
search: {x: {float: [0, 1]}}
budget: {trials: 5}
pruner: none
confirm: none
"""


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("workers", [1, 2])
def test_a_warning_of_every_step_is_told_once_in_a_study_and_in_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(WARNING)
    (tmp_path / "s.yaml").write_text(STUDY)
    assert main(["run", "s.yaml", "--workers", str(workers)]) == 0
    out, err = capfd.readouterr()
    lines = [line for line in (out + err).splitlines() if "this will change" in line]
    assert len(lines) == 1
    assert lines[0].endswith("mine.py, line 7, warns: this will change")
    assert "FutureWarning" not in out + err
    assert "warnings.warn" not in out + err


@pytest.mark.filterwarnings("default")
def test_a_deprecated_estimator_is_told_once(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text("""
objective: sklearn
data: iris
goal: maximize val_accuracy
fixed: {estimator: PassiveAggressiveClassifier, epochs: 2}
search: {C: {float: [0.1, 9]}}
budget: {trials: 3}
confirm: none
""")
    assert main(["run", "s.yaml"]) == 0
    out, err = capfd.readouterr()
    assert (out + err).count("PassiveAggressiveClassifier is deprecated") == 1
    assert "sklearn warns: Class PassiveAggressiveClassifier is deprecated" in err


@pytest.mark.filterwarnings("always")
def test_unlike_warnings_are_all_told() -> None:
    told: list[str] = []
    with once(told.append):
        for text in ("a", "b", "a", "c", "b"):
            warnings.warn(text, UserWarning, stacklevel=1)
    assert [line.rpartition(" ")[2] for line in told] == ["a", "b", "c"]


@pytest.mark.filterwarnings("default")
def test_what_optuna_logs_is_told_once_as_a_warning_is(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    logged = "import optuna\n\n" + WARNING.replace(
        'warnings.warn("this will change", FutureWarning)',
        'optuna.logging.get_logger("optuna.x").warning("no %s", "lanes")',
    )
    (tmp_path / "mine.py").write_text(logged)
    (tmp_path / "s.yaml").write_text(STUDY)
    for _ in range(2):
        assert main(["run", "s.yaml", "--fresh"]) == 0
        out, err = capfd.readouterr()
        assert [line for line in (out + err).splitlines() if "no lanes" in line] == ["mine.py, line 9, warns: no lanes"]
