"""What a result and its figures show in a notebook, and what they say where there is nothing to see."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import pytest

import hpo
from hpo.search.terms.errors import UserError


def curve(*, x: float = 0.0, kind: str = "a", epochs: int = 4) -> Iterator[dict[str, float]]:
    print("x is <b>", x)
    for epoch in range(epochs):
        yield {"loss": (x - 2) ** 2 + 1 / (epoch + 1)}


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> hpo.Result:
    search = {"x": {"float": [0, 4]}, "kind": {"choice": ["a", "<b>"]}}
    place = tmp_path_factory.mktemp("result") / "hpo.db"
    return hpo.run(curve, search=search, goal="minimize loss", trials=8, storage=str(place), pruner="none")


def elements(svg: str) -> list[str]:
    return [element.tag.rpartition("}")[2] for element in ElementTree.fromstring(svg).iter()]


@pytest.mark.parametrize("name", ["curves", "history", "recipes", "finalists"])
def test_a_figure_is_an_svg_of_its_own_with_title_and_note(result: hpo.Result, name: str) -> None:
    shown = getattr(result.plot, name)()
    svg = shown._repr_svg_()
    assert {"style", "path", "text"} <= set(elements(svg))
    assert "var(" not in svg, "viewers outside of a browser know no variables"
    assert shown.title in svg
    assert shown.note.split()[0] in svg
    assert repr(shown).startswith(f"<figure {shown.title!r} of curve")


def test_a_figure_is_saved_by_its_ending(result: hpo.Result, tmp_path: Path) -> None:
    shown = result.plot.knob("x")
    assert shown.save(tmp_path / "x.svg").read_text() == shown._repr_svg_()
    with pytest.raises(UserError, match=r"saved as \.svg or \.png"):
        shown.save(tmp_path / "x.pdf")
    pytest.importorskip("PIL")
    assert shown.save(tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


def test_where_there_is_nothing_to_see_a_figure_says_why(result: hpo.Result, tmp_path: Path) -> None:
    for shown, why in ((result.plot.importance(), "20 are needed"), (result.plot.front(), "two goals")):
        assert shown._repr_svg_() is None
        assert why in repr(shown)
        with pytest.raises(UserError, match=why):
            shown.save(tmp_path / "none.svg")
    with pytest.raises(UserError, match="did you mean 'kind'"):
        result.plot.knob("kinds")


def test_a_result_shows_answer_figures_and_the_best_trials(result: hpo.Result) -> None:
    html = result._repr_html_()
    tree = ElementTree.fromstring(html)
    assert tree.attrib["class"] == "hpo-cell"
    assert len(tree.findall(".//figure")) == 2
    assert len(tree.findall(".//tr")) == 9
    assert "&lt;b&gt;" in html, "what stands in a study is shown, not read"
    rules = (tree.findtext("style") or "").split("}")
    assert all("hpo-cell" in rule or rule.startswith(("@", "--")) or not rule.strip() for rule in rules), "no others'"


def test_a_trial_shows_its_knobs_its_curve_and_what_it_printed(result: hpo.Result) -> None:
    trial = result.trial(3)
    assert trial.log.startswith("x is <b>")
    assert trial.recipe == {name: result.trials.loc[3, f"params_{name}"] for name in ("x", "kind")}
    assert [step for step, _ in trial.curve] == [1, 2, 3, 4]
    assert repr(trial).startswith("<hpo.Trial 3 of curve: complete, loss ")
    html = trial._repr_html_()
    assert 'class="curve winner"' in html, "its own curve among the others"
    assert "x is &lt;b&gt;" in html
    with pytest.raises(UserError, match="no trial 8; it has 8"):
        result.trial(8)


def test_a_stored_study_is_opened_again(result: hpo.Result, tmp_path: Path) -> None:
    place = result.store.display
    assert repr(hpo.result("curve", storage=place)) == repr(result)
    with pytest.raises(UserError, match="did you mean 'curve'"):
        hpo.result("curv", storage=place)


def test_what_happens_is_shown_where_that_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    settings = {"search": {"x": {"float": [0, 4]}}, "goal": "minimize loss", "trials": 2, "confirm": "none"}
    hpo.run(curve, storage=":memory:", **settings)
    assert "trial" not in capsys.readouterr().out
    hpo.run(curve, storage=":memory:", progress=True, **settings)
    assert "trial 1 [2/2]: " in capsys.readouterr().out


def test_a_function_of_a_trial_is_a_study(tmp_path: Path) -> None:
    widest = 3

    def objective(trial):
        depth = trial.suggest_int("depth", 1, widest)
        for step in range(2):
            trial.report(depth + trial.suggest_float("x", 0, 1) / (step + 1), step)
        return depth

    found = hpo.run(objective, goal="minimize last value", trials=6, storage=":memory:", confirm="none", pruner="none")
    assert found.value == 1
    assert set(found.trials.columns) >= {"params_depth", "params_x"}


def test_a_function_of_this_process_trains_in_others() -> None:
    shift = [2.0]

    def shifted(*, x: float = 0.0) -> float:
        return abs(x - shift[0])

    settings = {"search": {"x": {"float": [0, 4]}}, "goal": "minimize value", "trials": 4, "confirm": "none"}
    here = hpo.run(shifted, storage=":memory:", **settings)
    there = hpo.run(shifted, storage=":memory:", workers=2, **settings)
    assert here.trials["value"].tolist() == there.trials["value"].tolist()
