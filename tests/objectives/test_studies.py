"""Every shipped study: it reads well, and one trial of the smallest budget runs to its end."""

from pathlib import Path

import pytest
from corpora import SENTENCES

import hpo
from hpo.search import studyfile
from hpo.search.describe.objective import describe
from hpo.search.terms import registry

SMALL = {"epochs": 2, "n_estimators": 4, "max_iter": 4, "max_steps": 4, "max_tokens": 8192}


@pytest.mark.parametrize("name", registry.names("study"))
def test_a_shipped_study_fits_a_screen_and_opens_with_its_question(name):
    text = registry.path("study", name).read_text()
    assert registry.summary("study", name).endswith(("?", "."))
    assert len(text.splitlines()) <= 40
    assert studyfile.read(name).question == registry.summary("study", name)


@pytest.mark.parametrize("name", registry.names("study"))
@pytest.mark.filterwarnings("ignore::hpo.search.terms.errors.Advice")
def test_one_trial_of_a_shipped_study_runs(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = studyfile.read(name)
    fixed = {knob: value for knob, value in SMALL.items() if knob in study.fixed}
    settings = {"fixed": fixed} if fixed else {}
    if describe(study.objective, study.folder).text:
        (tmp_path / "mine.txt").write_text("\n\n".join(SENTENCES * 9))
        settings["data"] = {"text": {"path": str(tmp_path / "mine.txt"), "documents": "blank"}}
    result = hpo.run(name, trials=1, workers=1, confirm="none", storage=str(tmp_path / "x.db"), **settings)
    assert result.report.counts["complete"] == 1, [trial.reason for trial in result.report.trials]
    assert result.recipe
    assert Path(tmp_path / "x.db").exists()
