"""README says what `hpo list` says, and its links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from floors import ROOT

from hpo.search.terms import registry

README = ROOT / "README.md"
TABLES = {
    "objectives": "objective", "studies": "study", "samplers": "sampler", "policies": "policy", "pruners": "pruner",
    "executors": "executor",
}  # fmt: skip
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("word", TABLES)
def test_a_row_of_its_table_names_the_plugins_of_its_kind(word: str) -> None:
    (row,) = re.findall(rf"^\| {word} \| (.*) \|$", README.read_text(encoding="utf-8"), re.MULTILINE)
    named = re.findall(r"`([a-z0-9-]+)`", row)
    assert sorted(named) == list(registry.names(TABLES[word]))


def test_its_tables_name_every_command() -> None:
    rows = re.findall(r"^\| (`hpo .*?`) \| ", README.read_text(encoding="utf-8"), re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`hpo ([a-z-]+)`", row)]
    assert sorted(named) == list(registry.names("command"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"
