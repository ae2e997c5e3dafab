"""The picture of the house and the table in CONTRIBUTING.md are those of the code."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import house
import pytest
from floors import FLOOR_OF, ROOT, arrows, reduced


def test_the_picture_and_the_table_are_current() -> None:
    done = subprocess.run([sys.executable, ROOT / "docs" / "house.py", "--check"], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_picture_or_a_table_that_is_out_of_date_is_named_and_drawn_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(house, "ROOT", tmp_path)
    for name, path in (("PICTURE", tmp_path / "house.svg"), ("PAGE", tmp_path / "CONTRIBUTING.md")):
        monkeypatch.setattr(house, name, path)
    (tmp_path / "CONTRIBUTING.md").write_text(f"before\n{house.OPEN}\nold\n{house.CLOSE}\nafter\n")
    assert house.main(["--check"]) == 1
    assert "house.svg and CONTRIBUTING.md: out of date" in capsys.readouterr().out
    assert house.main([]) == 0
    assert house.main(["--check"]) == 0
    assert (tmp_path / "house.svg").read_text() == (ROOT / "docs" / "house.svg").read_text()
    page = (tmp_path / "CONTRIBUTING.md").read_text()
    assert page.startswith("before\n")
    assert page.endswith("\nafter\n")
    assert house.table() in page


def test_every_room_has_a_sentence_and_stands_in_the_picture_above_what_it_imports() -> None:
    drawn = ET.fromstring(house.PICTURE.read_text())
    titles = [title.text or "" for title in drawn.iter("{http://www.w3.org/2000/svg}title")]
    assert [room for room in FLOOR_OF if any(title.startswith(f"{room}: ") for title in titles)] == list(FLOOR_OF)
    for room in FLOOR_OF:
        assert house.table().count(f"| `{room}/` | ") == 1
    heads = [path for path in drawn.iter("{http://www.w3.org/2000/svg}path") if path.get("class") == "head"]
    assert len(heads) == sum(map(len, reduced(arrows()).values()))


def test_arrows_that_follow_from_others_are_left_out() -> None:
    assert reduced({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == {"a": {"b"}, "b": {"c"}, "c": set()}
