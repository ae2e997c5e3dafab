"""Constants of a file are read from its text, wherever they are written; what the text does not tell is left open."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.search.describe.source import Source
from hpo.search.terms.knobs import UNKNOWN

literals = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.lists(inner, max_size=3),
    max_leaves=6,
)


def read(folder: Path, text: str, name: str = "X") -> Any:
    (folder / "main.py").write_text(text)
    return Source(folder / "main.py").constant(name)


@given(one=st.lists(literals, max_size=3).map(tuple), two=st.lists(literals, max_size=3).map(tuple), alone=literals)
def test_a_constant_is_what_python_makes_of_it(
    tmp_path_factory: pytest.TempPathFactory, one: Any, two: Any, alone: Any
) -> None:
    folder = tmp_path_factory.mktemp("constants")
    (folder / "there.py").write_text(f"ONE = {one!r}\nALONE = {alone!r}\n")
    text = f"from .there import ALONE, ONE as FIRST\nTWO: tuple = {two!r}\nX = (*FIRST, ALONE, *TWO) + (TWO + FIRST)\n"
    assert read(folder, text) == (*one, alone, *two, *two, *one)


def test_a_name_is_followed_over_several_files_without_importing_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    package = tmp_path / "constant_package"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit")
    (package / "low.py").write_text("raise SystemExit\nLOW = ('a',)")
    (package / "middle.py").write_text("raise SystemExit\nfrom constant_package.low import *\nMIDDLE = LOW + ('b',)")
    assert read(tmp_path, "import constant_package.middle\nX = constant_package.middle.MIDDLE") == ("a", "b")
    assert read(tmp_path, "from constant_package import middle as m\nX = [*m.MIDDLE, 'c']") == ["a", "b", "c"]
    assert not [name for name in sys.modules if name.startswith("constant_package")]
    importlib.invalidate_caches()


@pytest.mark.parametrize(
    "text",
    [
        "X = make()",
        "X = ('a', make())",
        "X = (*make(), 'a')",
        "X = ('a', *1)",
        "X = ('a',) + ['b']",
        "X = 'a' + 'b'",
        "X = X",
        "X = (*Y,)\nY = (*X,)",
        "X, Y = ('a', 'b')",
        "X = ('a',)\nX += ('b',)",
        "X = ['a']\nX[0] = 'b'",
        "from nowhere_at_all import X",
        "def X(): ...",
        "X: tuple",
    ],
)
def test_what_the_text_does_not_tell_is_unknown(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text) is UNKNOWN


def test_a_name_that_is_nowhere_is_none(tmp_path: Path) -> None:
    assert read(tmp_path, "Y = 1") is None
