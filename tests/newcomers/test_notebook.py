"""The notebook of the docs in a real Jupyter kernel: what its cells show, an interruption, what goes on after it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ipykernel", reason="needs a Jupyter kernel: pip install ipykernel")

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "docs" / "notebook.ipynb"

pytestmark = [
    pytest.mark.skipif(not NOTEBOOK.is_file(), reason="runs in a checkout"),
    pytest.mark.filterwarnings("ignore"),  # of Jupyter's own
]

SLOW = """
import time

def slow(*, x: float = 0.0):
    for epoch in range(3):
        time.sleep(0.02)
        yield {"loss": x + 1 / (epoch + 1)}
"""
RUN = "hpo.run(slow, search={'x': {'float': [0, 1]}}, goal='minimize loss', trials=TRIALS, confirm='none')"


class Kernel:
    """A kernel, and what its last cell has shown: of a display that is updated in place the last state."""

    def __init__(self, place: Path) -> None:
        from jupyter_client.manager import KernelManager

        self._manager = KernelManager(kernel_name="python3")
        path = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))
        own = {"IPYTHONDIR": str(place / "ipython"), "PYTHONPATH": path}
        self._manager.start_kernel(cwd=str(place), env={**os.environ, **own})
        self._client = self._manager.blocking_client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=120)

    def run(self, code: str, *, interrupt_after: str = "(?!)") -> list[dict[str, Any]]:
        """Run a cell, and interrupt it once a display says so; its outputs."""
        asked = self._client.execute(code)
        shown: list[dict[str, Any]] = []
        places: dict[str, int] = {}
        while True:
            message = self._client.get_iopub_msg(timeout=300)
            kind, content = message["msg_type"], message["content"]
            display = content.get("transient", {}).get("display_id")
            if kind == "update_display_data":
                shown[places[display]] = content
            elif kind in ("display_data", "execute_result", "error", "stream"):
                places[display] = len(shown)
                shown.append(content)
            if re.search(interrupt_after, str(content.get("data", {}).get("text/plain", ""))):
                interrupt_after = "(?!)"
                self._manager.interrupt_kernel()
            if content.get("execution_state") == "idle" and message["parent_header"].get("msg_id") == asked:
                return shown

    def close(self) -> None:
        """End it."""
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    made = Kernel(tmp_path_factory.mktemp("notebook"))
    yield made
    made.close()


def test_the_notebook_of_the_docs_runs_and_shows_itself(kernel: Kernel) -> None:
    cells = [cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"]
    assert not any(cell["outputs"] for cell in cells), "its outputs are stripped"
    shown = {cell["source"][-1]: kernel.run("".join(cell["source"])) for cell in cells}
    for outputs in shown.values():
        assert not [output for output in outputs if "traceback" in output or "text" in output], "prints, or an error"
    bar, answer = (output["data"] for output in shown["result"])
    assert re.match(r"digits: (fresh runs 6 of 6|trials 30 of 30)", bar["text/plain"])
    assert bar["text/html"].count("<svg") == 0
    assert answer["text/plain"].startswith("<hpo.Result digits: trial ")
    assert answer["text/html"].count("<svg") > 2, "figures, and the curves of the best"
    for figure in ("result.plot.curves()", "result.plot.rate_by_batch()"):
        assert shown[figure][0]["data"]["image/svg+xml"].startswith("<svg xmlns=")
    assert "20 are needed" in str(shown["result.plot.importance()"]) or "svg" in str(shown["result.plot.importance()"])
    bar = shown["both.recipe, both.value, both.interval"][0]["data"]["text/plain"]
    assert "digits is sent to the worker processes, with x, x_valid, y, y_valid" in bar
    last = shown['hpo.run(objective, goal="maximize last value", trials=10)'][-1]["data"]
    assert re.search(r"objective: trial \d+ wins", last["text/plain"])


def test_an_interrupted_cell_stops_cleanly_and_the_next_goes_on(kernel: Kernel) -> None:
    kernel.run(f"import hpo{SLOW}")
    interrupted = kernel.run(RUN.replace("TRIALS", "2000"), interrupt_after=r"trials [1-9]")
    assert interrupted[-1]["ename"] == "Interrupted"
    assert interrupted[-1]["traceback"] == ["hpo: stopped; the same command goes on from here"]
    stood = kernel.run("len(hpo.result('slow').trials)")
    count = int(stood[-1]["data"]["text/plain"])
    assert 0 < count < 2000
    done = kernel.run(RUN.replace("TRIALS", str(count + 2)))
    assert f"going on with slow: {count} trials stand" in done[0]["data"]["text/plain"]
    assert re.search(r"trial \d+ wins", done[-1]["data"]["text/plain"])


def test_a_mistake_is_shown_as_its_message_alone(kernel: Kernel) -> None:
    kernel.run(f"import hpo{SLOW}")
    wrong = kernel.run("hpo.run(slow, serach={'x': {'float': [0, 1]}}, goal='minimize loss')")
    assert "did you mean 'search'?" in wrong[-1]["traceback"][0]
    assert "Traceback" not in str(wrong)
