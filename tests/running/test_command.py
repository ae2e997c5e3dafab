"""Command lines as objectives: what goes in, what comes out, and that nothing of them is left behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hpo.search.describe.objective import COMMAND
from hpo.search.running.command import CommandFailed, fill, run_command
from hpo.search.terms.errors import UserError
from hpo.search.terms.job import Task


def task(command: str, folder: Path, silence: float = 20.0) -> Task:
    return Task(COMMAND + command, folder=str(folder), silence=silence)


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], str]:
    def write(text: str) -> str:
        (tmp_path / "train.py").write_text(text)
        return f"'{sys.executable}' train.py"

    return write


def failure(command: str, folder: Path, silence: float = 20.0) -> str:
    with pytest.raises(CommandFailed) as caught:
        list(run_command(task(command, folder, silence), {"lr": 0.1}))
    return str(caught.value)


def alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state not in "ZX"
    return False


def gone(pid: int) -> bool:
    """Whether a process is no more, after at most a minute."""
    for _ in range(6000):
        if not alive(pid):
            return True
        time.sleep(0.01)
    return False


def test_the_recipe_goes_in_as_json_and_as_placeholders(tmp_path: Path, script: Callable[[str], str]) -> None:
    text = "import json, sys\nprint(json.dumps({'read': json.load(sys.stdin), 'told': sys.argv[1:]}))"
    recipe = {"lr": 0.1, "name": "a b", "nesterov": True, "empty": None}
    command = script(text) + " --lr={lr} {name} {nesterov} x{empty}"
    (point,) = run_command(task(command, tmp_path), recipe)
    assert point == {"read": recipe, "told": ["--lr=0.1", "a b", "true", "x"]}


def test_a_knob_whose_text_looks_like_a_placeholder_is_taken_literally() -> None:
    assert fill("{a}/{b}", {"a": "{b}", "b": "c"}) == "{b}/c"


def test_braces_that_are_no_placeholders_stay(tmp_path: Path) -> None:
    (point,) = run_command(task("""sh -c 'V=3; printf %s "${V}" | awk "{print \\$1}"'""", tmp_path), {"V": 5})
    assert point == 3


def test_each_line_of_json_is_a_point_and_empty_lines_are_none(tmp_path: Path) -> None:
    command = """sh -c 'echo "{\\"loss\\": 1}"; echo; echo 0.5; printf 0.25'"""
    assert list(run_command(task(command, tmp_path), {})) == [{"loss": 1}, 0.5, 0.25]


def test_points_arrive_while_the_command_runs(tmp_path: Path) -> None:
    points = run_command(task("sh -c 'echo 1; sleep 100'", tmp_path), {})
    assert next(points) == 1
    points.close()  # type: ignore[attr-defined] # a generator


def test_a_command_runs_in_the_study_folder(tmp_path: Path) -> None:
    (tmp_path / "value.json").write_text("7")
    assert list(run_command(task("cat value.json", tmp_path), {})) == [7]


def test_a_bad_exit_gives_its_code_and_the_last_lines_of_standard_error(tmp_path: Path) -> None:
    reason = failure("sh -c 'echo 1; for i in 1 2 3 4 5 6 7; do echo line $i >&2; done; exit 3'", tmp_path)
    assert reason == "the command ended with exit code 3\n  line 3\n  line 4\n  line 5\n  line 6\n  line 7"


def test_a_command_killed_by_a_signal_says_so(tmp_path: Path) -> None:
    assert "was killed by signal 9" in failure("sh -c 'kill -9 $$'", tmp_path)


@pytest.mark.parametrize("line", ["hello", "true", "null", "[1]", '"text"', '{"a": 1', "[" * 100_000])
def test_a_line_that_is_no_point_fails_nothing(tmp_path: Path, line: str) -> None:
    (tmp_path / "line").write_text(f"{line}\n")
    assert list(run_command(task("sh -c 'cat line; echo 0.5; cat line'", tmp_path), {})) == [0.5]
    assert failure("cat line", tmp_path).startswith("the command printed no metric\n")


def test_a_number_too_large_for_a_float_is_refused(tmp_path: Path) -> None:
    (tmp_path / "line").write_text('{"loss": 1' + "0" * 400 + "}")
    assert "beyond 1e308" in failure("cat line", tmp_path)


def test_a_command_that_prints_nothing_fails(tmp_path: Path) -> None:
    assert failure("sh -c 'echo only here >&2'", tmp_path) == "the command printed nothing\n  only here"


def test_a_hung_command_fails_after_the_limit_and_is_killed(tmp_path: Path) -> None:
    silence = 1.0
    while not (tmp_path / "stuck").exists():  # it was killed before it could say a word
        silence *= 2
        reason = failure("sh -c 'echo $$ >pid; echo stuck >&2; touch stuck; sleep 100'", tmp_path, silence=silence)
    assert reason == f"the command was silent for {silence:g} s\n  stuck"
    assert gone(int((tmp_path / "pid").read_text()))


def test_chatter_on_standard_error_is_no_sign_of_life(tmp_path: Path) -> None:
    assert "silent" in failure("sh -c 'while true; do echo x >&2; sleep 0.02; done'", tmp_path, silence=0.5)


def test_a_flood_on_standard_error_neither_blocks_nor_is_kept(tmp_path: Path, script: Callable[[str], str]) -> None:
    text = "import sys\nfor i in range(200_000): print('noise', i, file=sys.stderr)\nprint(1)\nsys.exit(2)"
    assert failure(script(text), tmp_path).splitlines()[-1] == "  noise 199999"


def test_the_time_a_consumer_takes_is_not_silence(tmp_path: Path) -> None:
    command = "sh -c 'echo 1; while [ ! -e go ]; do sleep 0.05; done; echo 2'"
    points = run_command(task(command, tmp_path, silence=3), {})
    assert next(points) == 1
    time.sleep(3.3)
    (tmp_path / "go").touch()
    assert list(points) == [2]


def test_a_huge_line_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    assert "over a million characters" in failure("sh -c 'yes | tr -d \"\\n\"'", tmp_path)


def test_a_command_that_reads_nothing_is_not_waited_for(tmp_path: Path) -> None:
    recipe = {f"k{i}": "x" * 1000 for i in range(300)}
    assert list(run_command(task("sh -c 'exec <&-; echo 1'", tmp_path), recipe)) == [1]


def test_an_ended_command_is_not_waited_for_through_what_it_left_running(tmp_path: Path) -> None:
    command = "sh -c 'sleep 100 & echo $! >pid; echo 1'"
    assert list(run_command(task(command, tmp_path, silence=60), {})) == [1]
    assert gone(int((tmp_path / "pid").read_text()))


def test_closing_kills_the_command_and_what_it_started(tmp_path: Path) -> None:
    points = run_command(task("sh -c 'sleep 100 & echo $! >child; echo $$ >own; echo 1; wait'", tmp_path), {})
    next(points)
    points.close()  # type: ignore[attr-defined] # a generator
    assert gone(int((tmp_path / "own").read_text()))
    assert gone(int((tmp_path / "child").read_text()))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_nothing_is_orphaned_when_the_parent_is_killed(tmp_path: Path) -> None:
    code = """
        import sys
        from hpo.search.running.command import run_command
        from hpo.search.terms.job import Task
        command = "command:sh -c 'sleep 100 & echo $! >child; echo $$ >own; echo 1; wait'"
        for point in run_command(Task(command, folder=sys.argv[1]), {}):
            print(point, flush=True)
    """
    code = "\n".join(line[8:] for line in code.splitlines())
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"1\n"
        os.kill(parent.pid, signal.SIGKILL)
    for name in ("own", "child"):
        assert gone(int((tmp_path / name).read_text()))


def test_a_missing_program_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no program 'no-such-program'"):
        list(run_command(task("no-such-program", tmp_path), {}))


def test_a_file_that_may_not_run_says_how_to_allow_it(tmp_path: Path) -> None:
    (tmp_path / "run.sh").write_text("#!/bin/sh\necho 1\n")
    with pytest.raises(UserError, match=r"chmod \+x ./run.sh"):
        list(run_command(task("./run.sh", tmp_path), {}))


def test_a_file_without_a_first_line_that_names_its_program_says_so(tmp_path: Path) -> None:
    (tmp_path / "run.sh").write_text("echo 1\n")
    (tmp_path / "run.sh").chmod(0o755)
    with pytest.raises(UserError, match="#!/bin/sh"):
        list(run_command(task("./run.sh", tmp_path), {}))
    (tmp_path / "run.sh").write_text("#!/no/such/interpreter\necho 1\n")
    with pytest.raises(UserError, match="the program its first line names does not exist"):
        list(run_command(task("./run.sh", tmp_path), {}))


def test_metrics_that_are_not_finite_pass_for_the_loop_to_judge(tmp_path: Path) -> None:
    (point,) = run_command(task("echo '{\"loss\": NaN}'", tmp_path), {})
    assert json.dumps(point) == '{"loss": NaN}'
