"""A knob in steps has the same double wherever it is seen: drawn, stored, shown, exported, counted and listed."""

from __future__ import annotations

import json
import math
import sqlite3
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sampling import OPTIONS, new_study, run

from hpo.search.cli import main
from hpo.search.commands.check import summary
from hpo.search.samplers.common.lattice import Lattice
from hpo.search.studyfile.reader import read
from hpo.search.studyfile.yaml12 import parse
from hpo.search.terms import registry
from hpo.search.terms.domain import Choice, Float, Int
from hpo.search.terms.errors import SpaceExhausted
from hpo.search.terms.space import Parameter, Space

NAMES = registry.names("sampler")
RANGES = {
    "thirds": Float(0.0, 0.6666666666666666, step=0.3333333333333333),
    "thirds around zero": Float(-1.0, 1.0, step=0.3333333333333333),
    "parts of pi": Float(0.0, math.pi, step=math.pi / 6),
    "around zero": Float(-0.3, 0.3, step=0.1),
    "seconds since 1970": Float(1.7e9, 1.7e9 + 1, step=2**-10),
    "uneven": Float(0.0, 1.0, step=0.3),
    "huge": Float(-1e300, 1e300, step=1e299),
    "tiny": Float(-3e-300, 3e-300, step=1e-300),
    "long": Float(0.0, 1e6, step=1.0),
}


@st.composite
def stepped(draw: st.DrawFn) -> Float:
    """Ranges in steps of any size, as decimals or divided in doubles."""
    exponent, count = draw(st.integers(-300, 290)), draw(st.integers(1, 30))
    low, step = draw(st.integers(-(10**9), 10**9)), draw(st.integers(1, 10**6))
    low, high = float(f"{low}e{exponent}"), float(f"{low + count * step}e{exponent}")
    divided = (high - low) / draw(st.integers(1, 30))
    domain = Float(low, high, step=draw(st.sampled_from([float(f"{step}e{exponent}"), divided])))
    assume(domain.steps is not None and domain.steps.distinct)
    return domain


def evidence(name: str) -> dict[str, Any]:
    """Options with which a sampler leaves its random start within ten trials."""
    return {"n_startup_trials": 4} if name in ("gp", "tpe") else OPTIONS.get(name, {})


@pytest.mark.parametrize("name", NAMES)
@given(domains=st.lists(stepped() | st.sampled_from(sorted(RANGES)).map(RANGES.__getitem__), min_size=1, max_size=3))
@settings(max_examples=8, deadline=None)
def test_whatever_is_drawn_is_one_of_the_points(name: str, domains: list[Float]) -> None:
    space = Space(tuple(Parameter(f"k{i}", domain) for i, domain in enumerate(domains)))
    if name == "grid":
        assume(Lattice(space, {}).size < 100_000)
    study = new_study()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            points = run(study, space, name, evidence(name), 6 if name == "gp" else 14)
        except SpaceExhausted:
            points = [trial.params for trial in study.get_trials() if trial.params]
    for point, trial in zip(points, study.get_trials(), strict=False):
        assert repr(trial.params) == repr(point)
        for parameter in space:
            assert repr(point[parameter.name]) == repr(
                parameter.domain.at(parameter.domain.index(point[parameter.name]))
            )


@pytest.mark.parametrize("name", NAMES)
def test_long_ranges_are_searched_in_constant_memory(name: str) -> None:
    space = Space(
        (
            Parameter("n", Int(1, 20_000_000_000)),
            Parameter("m", Int(-(2**53), 2**53)),
            Parameter("log", Int(1, 2**53, log=True)),
            Parameter("wide", Int(-(2**53), 2**53, step=2**33 + 1)),
            Parameter("x", Float(0.0, 1e6, step=1.0)),
        )
    )
    if name == "grid":
        space = Space((Parameter("n", Choice((1, 2))), Parameter("m", Int(0, 2**53), when=(("n", (3,)),))))
    points = run(new_study(), space, name, evidence(name), 2 if name == "grid" else 8)
    assert all(space.contains(point) for point in points)
    assert len({repr(point) for point in points}) == len(points)


FILE = """
objective: ./curve.py
goal: minimize loss
search:
{search}
budget: {{trials: {trials}}}
sampler: {sampler}
pruner: none
confirm: none
repeats: true
"""


def knob(domain: Float | Int) -> str:
    kind = "float" if isinstance(domain, Float) else "int"
    return f"{{{kind}: [{domain.low!r}, {domain.high!r}], step: {domain.step!r}}}"


@pytest.mark.parametrize("store", ["s.db", "s.journal"])
@pytest.mark.parametrize("name", [*NAMES, "freeze-thaw"])
def test_the_store_the_display_and_the_export_have_the_same_double(
    name: str, store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "curve.py").write_text(
        "def train(*, a: float = 0.0, b: float = 0.0, c: float = 0.0, seed: int = 0):\n"
        "    with open('seen.txt', 'a') as file:\n        file.write(f'{a!r} {b!r} {c!r}\\n')\n"
        "    yield {'loss': abs(a) + b / 1.7e9 + c}\n"
    )
    domains = {"a": RANGES["thirds around zero"], "b": RANGES["seconds since 1970"], "c": RANGES["parts of pi"]}
    search = "\n".join(f"  {name}: {knob(domain)}" for name, domain in domains.items())
    sampler = f"{{{name}: {{n_startup_trials: 4}}}}" if name in ("gp", "tpe") else name
    sampler = "{warmup: {first: qmc, then: tpe}}" if name == "warmup" else sampler
    (tmp_path / "s.yaml").write_text(FILE.format(search=search, trials=8, sampler=sampler))
    assert main(["run", "--study", "s.yaml", "--storage", store]) == 0
    capsys.readouterr()
    assert main(["show", "s", "--storage", store, "--json"]) == 0
    trials = json.loads(capsys.readouterr().out)["trials"]
    points = [trial["point"] for trial in trials]
    assert len(points) == 8
    for point in points:
        for knob_name, domain in domains.items():
            assert repr(point[knob_name]) == repr(domain.at(domain.index(point[knob_name])))
    seen = sorted((tmp_path / "seen.txt").read_text().splitlines())
    assert sorted({f"{p['a']!r} {p['b']!r} {p['c']!r}" for p in points}) == sorted(set(seen))
    assert main(["export", "--study", "s", "--storage", store, "--top", "8", "--output", "best.yaml"]) == 0
    content = parse((tmp_path / "best.yaml").read_text()).plain()
    recipes = [content["recipe"], *(other["recipe"] for other in content.get("others", ()))]
    exported = {repr([recipe[knob_name] for knob_name in domains]) for recipe in recipes}
    shown = {trial["number"]: repr([trial["point"][knob_name] for knob_name in domains]) for trial in trials}
    complete = {shown[trial["number"]] for trial in trials if trial["state"] == "complete"}
    assert complete <= exported <= set(shown.values())


@given(domain=stepped(), other=st.integers(1, 4), data=st.data())
@settings(max_examples=40, deadline=None)
def test_size_points_lattice_and_what_check_says_agree(
    domain: Float, other: int, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    count = domain.count() or 0
    told = sorted(data.draw(st.sets(st.integers(0, count - 1), min_size=1, max_size=3)))
    when = [domain.at(i) for i in told]
    folder = tmp_path_factory.getbasetemp() / "agree"
    folder.mkdir(exist_ok=True)
    (folder / "curve.py").write_text("def train(*, a: float = 0.0, n: int = 1):\n    yield {'loss': a}\n")
    search = f"  a: {knob(domain)}\n  n: {{int: [0, {other}], when: {{a: {when!r}}}}}\n"
    (folder / "s.yaml").write_text(FILE.format(search=search, trials=1, sampler="grid"))
    study = read(folder / "s.yaml")
    points = list(study.space.points())
    size = count + other * len(told)
    lattice = Lattice(study.space, {})
    assert f"space    {size} recipes" in summary(study)
    assert len(points) == study.space.size() == lattice.size == size
    assert [lattice.point(i) for i in range(size)] == points
    assert [lattice.number(point) for point in points] == list(range(size))
    assert [study.space.point_of(point) for point in points] == points


def test_a_store_of_an_earlier_version_is_finished_without_repeating_a_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def points() -> list[dict[str, Any]]:
        capsys.readouterr()
        assert main(["show", "s", "--json"]) == 0
        return [trial["point"] for trial in json.loads(capsys.readouterr().out)["trials"]]

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HPO_STORAGE", raising=False)
    (tmp_path / "curve.py").write_text("def train(*, a: float = 0.0, n: int = 1):\n    yield {'loss': a + n}\n")
    search = f"  a: {knob(RANGES['thirds'])}\n  n: {{int: [1, 2], when: {{a: [0, 0.6666666666666666]}}}}"
    text = FILE.replace("repeats: true\n", "").format(search=search, trials=5, sampler="grid")
    (tmp_path / "s.yaml").write_text(text)
    assert main(["run", "--study", "s.yaml", "--trials", "4"]) == 0
    with sqlite3.connect("hpo.db") as connection:  # values and ends were rounded to twelve digits
        for row, value in connection.execute("SELECT param_id, param_value FROM trial_params").fetchall():
            connection.execute(
                "UPDATE trial_params SET param_value = ? WHERE param_id = ?", (float(f"{value:.12g}"), row)
            )
        connection.execute(
            "UPDATE trial_params SET distribution_json ="
            " replace(distribution_json, '0.6666666666666666', '0.666666666667')"
        )
    connection.close()
    before = points()
    assert {point["a"] for point in before} > {0.666666666667}
    assert main(["run", "--study", "s.yaml"]) == 0
    after = points()
    assert after[:4] == before
    study = read(tmp_path / "s.yaml")
    settled = [study.space.point_of({**point, "a": RANGES["thirds"].nearest(point["a"])}) for point in after]
    assert sorted(map(repr, settled)) == sorted(map(repr, study.space.points()))

    wider = text.replace("0, 0.6666666666666666], step", "0, 1], step").replace(
        "[0.0, 0.6666666666666666]", "[0.0, 1.0]"
    )
    (tmp_path / "s.yaml").write_text(wider)
    assert main(["run", "--study", "s.yaml", "--trials", "6"]) == 0
    assert points()[:5] == after
    (tmp_path / "t.yaml").write_text(wider + "warm_start: s\n")
    assert main(["run", "--study", "t.yaml", "--trials", "3"]) == 0
    assert "6 of 6 trials of 's' lie in this space" in capsys.readouterr().out
