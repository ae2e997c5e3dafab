"""What the files of the folders say of themselves is what the pages of their kinds say that they may."""

from __future__ import annotations

import ast

import pytest
from promises import literal

from hpo.search.terms import registry
from hpo.search.terms.registry import module_file

PAGES = {kind: f"hpo.search.contracts.{kind}" for kind in ("sampler", "pruner", "policy", "executor")} | {
    "objective": "hpo.objectives",
    "data": "hpo.objectives.data",
}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in PAGES for name in registry.names(kind)])
@pytest.mark.parametrize("what", ["DISCLAIMS", "REQUIRES"])
def test_every_word_of_a_file_is_on_the_page_of_its_kind(kind: str, name: str, what: str) -> None:
    path = module_file(PAGES[kind])
    assert path is not None
    page = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    for word in literal(kind, name, what):
        assert f'("{word}",)' in page, f"{what} of {kind} {name}: its kind knows no {word!r}"
