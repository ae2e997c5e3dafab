"""The contract of commands: every file of the folder keeps it; what each looks like is tested in tests/house."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from hpo.search.cli import main
from hpo.search.terms import registry


@pytest.mark.parametrize("name", registry.names("command"))
def test_an_unknown_flag_is_the_users_mistake_and_nothing_is_written(
    name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    parser = argparse.ArgumentParser()
    registry.load("command", name).configure(parser)
    needed = ["1" for action in parser._actions if not action.option_strings and action.required]
    with pytest.raises(SystemExit) as ended:
        raise SystemExit(main([name, *needed, "--no-such-flag"]))
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "--no-such-flag" in said
    assert "Traceback" not in said
    assert not list(tmp_path.iterdir())
