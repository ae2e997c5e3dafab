"""A Ray cluster of several nodes on this machine, each with a session folder of its own, as machines have."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from hpo.search.running.lifeline import group_dies_with_us

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "RAY_prestart_worker_first_driver": "0",
    "RAY_enable_worker_prestart": "0", "RAY_AUTH_MODE": "disabled", "RAY_worker_niceness": "0", "OMP_NUM_THREADS": "1",
}  # fmt: skip


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@dataclass
class Cluster:
    """Nodes by their names; the first one started is the head."""

    nodes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._watches: dict[str, ExitStack] = {}
        self.address = f"127.0.0.1:{free_port()}"
        self.folder = Path(tempfile.mkdtemp(prefix="rays-", dir="/tmp"))  # short: sockets lie below it

    def start(self, name: str, cpus: int = 4, packages: Path | None = None, **resources: float) -> None:
        """Start a node that says it has so many CPUs, of which a worker takes one, and these resources.

        Its Python finds what is in ``packages`` first.
        """
        head = ["--head", f"--port={self.address.split(':')[1]}", "--include-dashboard=false", "--disable-usage-stats"]
        where = ["--address", self.address] if self.nodes else head
        code = "import sys; from ray.scripts.scripts import main; sys.exit(main())"
        own = self.folder / f"{name}{len(self.nodes)}"
        words = [
            "start", *where, "--block", f"--num-cpus={cpus}", f"--node-name={name}",
            f"--resources={json.dumps(resources)}",
            f"--temp-dir={own}", "--object-store-memory=100000000", "--node-ip-address=127.0.0.1",
        ]  # fmt: skip
        source = str(Path(__file__).parents[1] / "src")
        found = [str(packages) if packages is not None else None, source, os.environ.get("PYTHONPATH")]
        paths = os.pathsep.join(filter(None, found))
        with (self.folder / f"{name}.out").open("wb") as output:
            self.nodes[name] = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-c", code, *words], stdin=subprocess.DEVNULL, stdout=output,
                stderr=output, env={**os.environ, **QUIET, "PYTHONPATH": paths}, start_new_session=True,
            )  # fmt: skip
        self._watches[name] = ExitStack()  # however the tests end
        self._watches[name].enter_context(group_dies_with_us(self.nodes[name].pid))
        until = time.monotonic() + 120
        while b"Ray runtime started" not in (told := (self.folder / f"{name}.out").read_bytes()):
            if self.nodes[name].poll() is not None:  # Ray gives it half a minute, which is short on a busy machine
                assert b"timed out during startup" in told, told.decode()
                self.kill(name)
                self.start(name, cpus, packages, **resources)
                return
            assert time.monotonic() < until, told.decode()
            time.sleep(0.1)

    def members(self, name: str) -> list[int]:
        """Processes of a node that live, its workers too."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                state, _, _, session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            except (OSError, ValueError):
                continue
            if int(session) == self.nodes[name].pid and state != "Z":
                found.append(int(folder.name))
        return found

    def pids(self, name: str, what: str) -> list[int]:
        """Those of a node's processes whose command line has a word, as ``raylet``, ``gcs_server``, ``ray::Seat``."""
        found = []
        for pid in self.members(name):
            try:
                line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if what in line.partition(" --")[0]:
                found.append(pid)
        return found

    def kill(self, name: str) -> None:
        """The machine is gone, with what it was just about to start."""
        while alive := self.members(name):
            for pid in alive:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            self.nodes[name].poll()
        self._watches.pop(name).close()
        self.nodes.pop(name).wait()

    def close(self) -> None:
        """End all nodes, the head last."""
        for name in reversed(list(self.nodes)):
            self.kill(name)
        shutil.rmtree(self.folder, ignore_errors=True)
