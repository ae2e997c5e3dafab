"""Stores with a finished study, and a dashboard that tests share."""

from pathlib import Path

import pytest
from dashboards import fill, guarded

from hpo.search.store import Store, open_store


@pytest.fixture(params=["hpo.db", "hpo.journal"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    made = open_store(tmp_path / request.param)
    fill(made, 12)
    return made


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory):
    """A read-only dashboard that tests share."""
    store = open_store(tmp_path_factory.mktemp("store") / "hpo.db")
    fill(store, 12)
    return guarded(store)
