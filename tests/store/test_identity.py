"""Stores in files: one lease however the file is reached, and no way around it by links that others planted."""

from __future__ import annotations

import os
from pathlib import Path

import optuna
import pytest
from storefiles import FILES, add

from hpo.search.store import open_store
from hpo.search.store.lease import lease_path
from hpo.search.terms.errors import UserError

optuna.logging.set_verbosity(optuna.logging.WARNING)


def other_ways(path: Path) -> dict[str, str]:
    """Other ways to the same file: links to it, to its folder, a detour, a relative path."""
    folder = path.parent
    away = folder.parent / f"{folder.name} away"
    away.mkdir()
    (away / "folder").symlink_to(folder)
    (away / path.name).symlink_to(path)
    (away / f"b{path.suffix}").symlink_to(away / path.name)
    return {
        "link": str(away / path.name),
        "link to a link": str(away / f"b{path.suffix}"),
        "linked folder": str(away / "folder" / path.name),
        "detour": f"{folder}/../{folder.name}//./{path.name}",
        "relative": os.path.relpath(path),
    }


@pytest.mark.parametrize("name", FILES)
def test_a_store_has_one_lease_however_it_is_reached(tmp_path, name):
    path = tmp_path / "here" / name
    path.parent.mkdir()
    ways = other_ways(path)
    with open_store(ways["link"]).session("a", ["minimize"]) as session:  # where the file is not made yet
        session.study.ask()
        session.commit()
        assert path.exists()
        for way, spelled in {**ways, "itself": str(path)}.items():
            assert "process" in open_store(spelled).running("a"), way
            with pytest.raises(UserError, match="is being run by process"):
                open_store(spelled).session("a", ["minimize"])
            with pytest.raises(UserError, match="is being run by process"):
                open_store(spelled).delete("a")
            assert len(open_store(spelled).read("a").trials) == 1
    for i, spelled in enumerate(ways.values()):
        add(Path(spelled))
        assert len(open_store(path).read("a").trials) == i + 2
    assert not any(entry.is_file() and not entry.is_symlink() for entry in (tmp_path / "here away").iterdir())
    assert not (tmp_path / "here away" / ".hpo").exists()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_second_name_of_the_file_is_the_same_store(tmp_path, name, when):
    path, other = tmp_path / name, tmp_path / f"a-{name}"
    add(path)
    if when == "before":
        os.link(path, other)
    with open_store(path).session("a", ["minimize"]) as session:
        if when == "meanwhile":
            os.link(path, other)
        session.study.ask()
        session.commit()
        assert len(open_store(other).read("a").trials) == 2
        with pytest.raises(UserError, match="is being run by process"):
            open_store(other).session("a", ["minimize"])
    add(other)
    add(path)
    assert [len(open_store(place).read("a").trials) for place in (path, other)] == [4, 4]


@pytest.mark.parametrize("name", FILES)
def test_a_file_with_names_in_several_folders_is_read_and_not_written(tmp_path, name):
    path, other = tmp_path / name, tmp_path / "away" / name
    other.parent.mkdir()
    add(path)
    os.link(path, other)
    for place in (path, other):
        assert len(open_store(place).read("a").trials) == 1
        with pytest.raises(UserError, match=r"2 names \(hard links\) in several folders"):
            open_store(place).session("a", ["minimize"])
        with pytest.raises(UserError, match=r"2 names \(hard links\) in several folders"):
            open_store(place).delete("a")


# --- planted links --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", ["symbolic", "hard", "dangling", "fifo", "another file"])
def test_what_lies_where_a_lease_should_be_is_left_alone(tmp_path, name, kind):
    store = tmp_path / name
    add(store)
    victim, lease = tmp_path / "victim", lease_path(store, "a")
    victim.write_text("precious")
    if kind == "hard":
        os.link(victim, lease)
    elif kind == "fifo":
        os.mkfifo(lease)
    elif kind == "another file":
        lease.write_text("precious")
    else:
        lease.symlink_to(victim if kind == "symbolic" else tmp_path / "new")
    assert open_store(store).running("a") is None
    for use in (lambda: open_store(store).session("a", ["minimize"]), lambda: open_store(store).delete("a")):
        with pytest.raises(UserError, match="left alone; remove it"):
            use()
    assert victim.read_text() == "precious"
    assert not (tmp_path / "new").exists()
    assert lease.is_fifo() or lease.is_symlink() or lease.read_text() == "precious"
    lease.unlink()
    add(store)


@pytest.mark.parametrize("name", FILES)
def test_the_folder_of_leases_may_not_be_a_link(tmp_path, name):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / ".hpo").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match=r"\.hpo is a link"):
        open_store(tmp_path / name).session("a", ["minimize"])
    assert list((tmp_path / "elsewhere").iterdir()) == []
