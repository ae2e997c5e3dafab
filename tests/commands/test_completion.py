"""What a shell completes: commands, options, names of studies, and that its code asks for just that."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import hpo
from hpo.search.cli import main
from hpo.search.commands.completion import candidates
from hpo.search.terms import registry


def bowl(*, x: float = 0.0) -> float:
    return x


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HPO_STORAGE", raising=False)
    return tmp_path


@pytest.mark.parametrize("name", registry.names("command"))
def test_every_option_of_a_command_is_offered(name: str) -> None:
    parser = argparse.ArgumentParser()
    registry.load("command", name).configure(parser)
    flags = {flag for action in parser._actions for flag in action.option_strings if action.help != argparse.SUPPRESS}
    assert set(candidates([name, "--"])) == {flag for flag in flags if flag.startswith("--")}


def test_studies_that_can_be_run_are_offered_to_run_and_stored_ones_to_show(place: Path) -> None:
    Path("mine.yaml").touch()
    assert {"lr-batch", "mine.yaml"} <= set(candidates(["run", ""]))
    assert candidates(["run", "quick.yaml", "mi"]) == ["mine.yaml"], "a second one"
    assert candidates(["show", ""]) == []
    for storage in ("hpo.db", "other.db"):
        hpo.run(
            bowl, search={"x": {"float": [0, 1]}}, goal="minimize value", trials=2, name=storage[:3], storage=storage
        )
    assert candidates(["show", ""]) == ["hpo"], "nor its fresh runs"
    assert candidates(["status", "--storage", "other.db", "--study", ""]) == ["oth"]


def test_values_of_options_are_offered() -> None:
    assert candidates(["run", "--sampler", "fr"]) == ["freeze-thaw"]
    assert candidates(["export", "--format", "nano"]) == ["nanogpt"]
    assert candidates(["run", "--storage", ""]) == [], "the shell's own files"
    assert candidates(["no-such-command", ""]) == []


def test_a_shell_that_is_not_known_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "bahs"]) == 2
    assert "did you mean 'bash'?" in capsys.readouterr().err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_code_is_of_its_shell_and_completes(place: Path, shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    assert main(["completion", shell]) == 0
    code = capsys.readouterr().out
    asks = {
        "bash": "COMP_WORDS=(hpo sta); COMP_CWORD=1; _hpo; printf '%s\\n' ${COMPREPLY[@]}",
        "zsh": "compadd() { print -l $found }; words=(hpo sta); CURRENT=2; _hpo",
        "fish": "complete -C 'hpo sta'",
    }
    stands_in = {
        "bash": f'hpo() {{ {sys.executable} -m hpo "$@"; }}',
        "zsh": f'compdef() {{ }}; hpo() {{ {sys.executable} -m hpo "$@"; }}',
        "fish": f"function hpo; {sys.executable} -m hpo $argv; end",
    }
    done = subprocess.run(
        [shell, "-c", f"{stands_in[shell]}\n{code}\n{asks[shell]}"], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["status"]
