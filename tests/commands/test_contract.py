"""The contract of commands: every file of the folder keeps it; what each looks like is tested in tests/house."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
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


@pytest.mark.parametrize("module", ["argparse", "difflib", "hashlib"])
def test_ctrl_c_during_the_first_imports_ends_the_command_with_a_message(tmp_path: Path, module: str) -> None:
    (tmp_path / f"{module}.py").write_text("raise KeyboardInterrupt\n")  # stands in for one that is being imported
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)])}
    done = subprocess.run(
        [sys.executable, "-m", "hpo", "check", "lr-batch"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (130, "hpo: stopped now\n")
