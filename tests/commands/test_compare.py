"""What `hpo compare` prints: one line a variant, however narrow the terminal is."""

from __future__ import annotations

import pytest

from hpo.search.commands import compare
from hpo.search.engine.compare import Variant

LONG = "default sampler + {by-points: {curves: {hedged: {of: successive-halving}}, folds: wilcoxon}}"


def variants(*titles: str) -> list[Variant]:
    return [
        Variant(title, ((1.0, 0.5 + i / 7, 0.25), (1.0, 0.4, 0.123 + i / 9)), 4000.0, 1234.0)
        for i, title in enumerate(titles)
    ]


@pytest.mark.parametrize("width", [60, 80, 100, 140, 300])
@pytest.mark.parametrize("titles", [("random + none", "tpe + median"), ("random + default pruner", LONG)])
def test_each_variant_has_one_line_with_its_value_at_the_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int, titles: tuple[str, ...]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    found = variants(*titles)
    compare._print(found, "minimize val_loss", 2)
    _, columns, *lines = capsys.readouterr().out.splitlines()
    assert len(columns) <= width
    rows, legend = lines[:2], lines[2:]
    for number, (row, variant) in enumerate(zip(rows, found, strict=True), 1):
        assert len(row) <= width
        assert compare._value(variant, 1.0, 2) in row
        assert "1 h 6 min" in row
        assert row.startswith(variant.title) or legend[number - 1] == f"{number} = {variant.title}"


def test_what_room_there_is_shows_more(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    shown = []
    for width in (70, 80, 90, 140):
        monkeypatch.setenv("COLUMNS", str(width))
        compare._print(variants("random + none", "tpe + median"), "minimize val_loss", 2)
        shown.append(max(map(len, capsys.readouterr().out.splitlines())))
    assert shown == sorted(set(shown))


def test_more_variants_than_letters_have_a_line_each(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    titles = [f"{LONG} {i}" for i in range(40)]
    compare._print(variants(*titles), "minimize val_loss", 2)
    told = capsys.readouterr().out
    assert all(f"{i + 1} = {title}" in told for i, title in enumerate(titles))


def test_variants_that_found_the_same_are_said_to_be_no_different(capsys: pytest.CaptureFixture[str]) -> None:
    one, other = variants("random + none", "tpe + none")
    compare._print([one, other, Variant("gp + none", one.curves, 1.0, 8.0)], "minimize val_loss", 2)
    told = capsys.readouterr().out
    assert "no difference between random + none; gp + none: too few trials" in told
    compare._print([one, other], "minimize val_loss", 2)
    assert "no difference" not in capsys.readouterr().out
