"""`hpo run --wait`: stands by while another process runs the study or the server is away, and goes on where that ended.

Real commands, real servers: the one that is waited for is killed, and so is the server.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from killing import Campaign, Running, check, left_alone
from stores import crash_server, fresh_database, server, start_server

from hpo.search.engine.standby import stand_by
from hpo.search.engine.watch import Watch
from hpo.search.store import open_store
from hpo.search.terms.errors import Unreachable

SMALL = {"budget": {"trials": 8}, "confirm": {"top": 1, "seeds": 1}}


def until(condition: Callable[[], object], process: Running) -> None:
    """Wait for something that a running command does."""
    end = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, "it ended before"
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


@pytest.fixture
def campaign(tmp_path: Path, location: str) -> Campaign:
    return Campaign(tmp_path / "shared", SMALL, location, pause=0.05, forked=True)


def standing_by(campaign: Campaign) -> Running:
    """A second command, in mid-study of the first."""
    second = campaign.start("run", "--study", "killed.yaml", "--wait", "--grace", "5")
    until(lambda: "standing by" in campaign.told(), second)
    return second


def test_stop_ends_those_that_stand_by_too(campaign: Campaign, tmp_path: Path) -> None:
    campaign.pause = 0.2  # seconds a step: more than 36 of them
    first = campaign.start()
    until(lambda: campaign.size() > 100, first)
    second = standing_by(campaign)
    asks = campaign.start("stop", "killed", "--storage", campaign.storage)
    assert asks.wait(timeout=120) == 0, campaign.told()
    for process in (first, second):
        assert process.wait(timeout=60) == 130, campaign.told()


def test_a_command_that_stands_by_says_for_whom_and_takes_over_when_that_is_killed(
    campaign: Campaign, tmp_path: Path
) -> None:
    first = campaign.start()
    until(lambda: campaign.size() > 100, first)
    second = standing_by(campaign)
    until(lambda: campaign.size() > 300, first)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert second.wait() == 0, campaign.told()
    said = re.findall("^standing by: .*$", campaign.told(), re.MULTILINE)
    assert len(said) == 1, said
    assert re.search(rf"'killed' is being run by process {first.pid} on .* since \d\d:\d\d$", said[0])
    plain = Campaign(tmp_path / "plain", SMALL, str(tmp_path / "plain.db"), forked=True)
    plain.finish()
    check(campaign, plain)


def test_a_command_that_stands_by_ends_by_a_signal_and_disturbs_nobody(campaign: Campaign) -> None:
    first = campaign.start()
    until(lambda: campaign.size() > 100, first)
    second = standing_by(campaign)
    os.kill(second.pid, signal.SIGTERM)
    assert second.wait() == 130
    assert "hpo: stopped while standing by; the same command stands by again" in campaign.told()
    assert first.wait() == 0
    assert len(campaign.trials_of("killed")) == 8


def test_what_was_waited_for_is_none_of_the_minutes(tmp_path: Path) -> None:
    store = open_store(tmp_path / "s.db")
    session = store.session("a", ["minimize"])
    said: list[str] = []

    def say(message: str) -> None:
        said.append(message)
        threading.Thread(target=session.close).start()

    with Watch() as watch:
        watch.began -= 3600
        stand_by(store, "a", watch, say)
        assert watch.elapsed < 600
        assert f"is being run by process {os.getpid()} on {socket.gethostname()}" in said[0]
        stand_by(store, "a", watch, say)
        assert len(said) == 1


def test_waiting_and_starting_over_exclude_each_other(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path, SMALL, "s.db", forked=True)
    assert campaign.start("run", "killed.yaml", "--wait", "--fresh").wait() == 2
    assert "take one of them" in campaign.told()
    assert not (tmp_path / "s.db").exists()


# --- a server that goes away ----------------------------------------------------------------------------------------


@pytest.fixture
def own_server() -> Iterator[str]:
    """The folder of a server for one test."""
    with server("-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off") as folder:
        yield folder


@pytest.mark.postgres
def test_a_server_that_is_killed_ends_the_command_and_the_same_command_goes_on(tmp_path: Path, own_server: str) -> None:
    campaign = Campaign(tmp_path / "shared", SMALL, fresh_database(own_server), pause=0.02, forked=True)
    process = campaign.start()
    until(lambda: campaign.size() > 300, process)
    crash_server(own_server)
    assert process.wait() == 4, campaign.told()
    assert "check the server and run again" in campaign.told()
    assert campaign.start().wait() == 4
    assert "whether the server runs" in campaign.told()
    with pytest.raises(Unreachable):
        open_store(campaign.place).names()
    start_server(own_server)
    campaign.finish()
    check(campaign, left_alone(campaign, lambda name: str(tmp_path / f"{name}.db")))


@pytest.mark.postgres
def test_a_command_that_waits_outlives_the_death_of_its_server(tmp_path: Path, own_server: str) -> None:
    campaign = Campaign(tmp_path / "shared", SMALL, fresh_database(own_server), pause=0.02, forked=True)
    process = campaign.start("run", "--study", "killed.yaml", "--wait")
    until(lambda: campaign.size() > 300, process)
    crash_server(own_server)
    until(lambda: "whether the server runs" in campaign.told(), process)
    start_server(own_server)
    assert process.wait() == 0, campaign.told()
    assert "standing by: postgresql://hpo@" in campaign.told()
    assert "going on with killed" in campaign.told()
    check(campaign, left_alone(campaign, lambda name: str(tmp_path / f"{name}.db")))


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.skipif(os.geteuid() != 0, reason="takes root to pull a plug")
def test_a_machine_that_vanishes_is_replaced_within_a_minute(tmp_path: Path) -> None:
    """The coordinator's machine is a network of its own, whose cable is pulled: nobody tells the server anything."""
    ip("link add hpo-a type veth peer name hpo-b")
    try:
        ip("netns add hpo-away")
        ip("link set hpo-b netns hpo-away")
        ip("addr add 10.213.7.1/24 dev hpo-a")
        ip("link set hpo-a up")
        ip("-n hpo-away addr add 10.213.7.2/24 dev hpo-b")
        ip("-n hpo-away link set hpo-b up")
        with server(
            "-c listen_addresses='*' -c port=54377 -c unix_socket_directories='{folder}' -c fsync=off"
        ) as folder:
            with Path(folder, "data", "pg_hba.conf").open("a") as rules:
                rules.write("host all all 10.213.7.0/24 trust\n")
            url = "postgresql://hpo@10.213.7.1:54377/postgres"
            crash_server(folder)
            start_server(folder)
            campaign = Campaign(tmp_path / "shared", SMALL, url, pause=0.3)
            away = ["ip", "netns", "exec", "hpo-away", sys.executable, "-m", "hpo", "run", "killed.yaml", "--quiet"]
            environment = {**os.environ, "PAUSE": "0.3", "LOG": str(campaign.log)}
            first = subprocess.Popen(away, cwd=campaign.folder, env=environment, stderr=subprocess.PIPE, text=True)
            until(lambda: campaign.size() > 300, first)
            second = standing_by(campaign)
            ip("-n hpo-away link set hpo-b down")
            gone = time.monotonic()
            until(lambda: f"process {first.pid} " not in str(open_store(url).running("killed")), second)
            assert time.monotonic() - gone < 60
            assert second.wait() == 0, campaign.told()
            assert "check the server and run again" in first.communicate(timeout=120)[1]
            assert first.returncode == 4
            check(campaign, left_alone(campaign, lambda name: str(tmp_path / f"{name}.db")))
    finally:
        subprocess.run(["ip", "netns", "del", "hpo-away"], check=False)
        subprocess.run(["ip", "link", "del", "hpo-a"], check=False, capture_output=True)  # gone with its other end


def ip(words: str) -> None:
    """Set up a network."""
    subprocess.run(["ip", *words.split()], check=True)
