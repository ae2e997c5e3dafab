"""The folder is the registry."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hpo.search.terms import registry
from hpo.search.terms.errors import UserError

KINDS = ("sampler", "pruner", "policy", "executor", "command", "objective", "data", "study")


@pytest.mark.parametrize("kind", KINDS)
def test_every_file_of_a_folder_is_listed_with_a_summary(kind: str) -> None:
    assert registry.names(kind)
    for name in registry.names(kind):
        path = registry.path(kind, name)
        assert path.is_file()
        assert path.stem.replace("_", "-") == name or kind == "study"
        assert registry.summary(kind, name), f"{kind} {name} begins with no line saying what it is"


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(UserError, match="no sampler is called 'tpee': did you mean 'tpe'"):
        registry.path("sampler", "tpee")


def test_a_hyphen_in_a_name_is_an_underscore_in_its_file() -> None:
    assert registry.path("pruner", "successive-halving").name == "successive_halving.py"


def test_loading_gives_the_plugin_under_its_one_name() -> None:
    assert registry.load("sampler", "random") is sys.modules["hpo.search.samplers.random"]


@pytest.mark.parametrize("name", ["", ".", "a..b", "no_such_module_here", "os.path.nothing", "x" * 4000, "a/b", "1a"])
def test_what_is_no_module_has_no_file(name: str) -> None:
    assert registry.module_file(name) is None


def test_a_module_of_the_path_comes_before_one_beside_the_study(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("")
    (tmp_path / "only_here.py").write_text("")
    found = registry.module_file("json", [str(tmp_path)])
    assert found is not None
    assert found.parent != tmp_path
    assert registry.module_file("only_here", [str(tmp_path)]) == tmp_path / "only_here.py"


@pytest.mark.parametrize(
    ("text", "line"),
    [("# a\n# b\n", "a"), ("\n\n#a", "a"), ("x: 1 # a", ""), ("", ""), ("## a ##", "a ##"), ("#\nx: 1", "")],
)
def test_the_question_is_the_first_comment(text: str, line: str) -> None:
    assert registry.first_comment(text) == line
