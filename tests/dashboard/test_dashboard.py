import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import plotly.io
import pytest
from dashboards import STUDY, TEXT, call, fill, guarded, only_study

from hpo.search.dashboard.annotate import PLOT, annotate
from hpo.search.dashboard.guard import guard
from hpo.search.dashboard.live import Live
from hpo.search.dashboard.server import serve
from hpo.search.store import Store, open_store
from hpo.search.terms.errors import UserError

# --- a store that changes ---------------------------------------------------


def test_trials_written_by_a_running_study_appear_within_a_poll(store):
    app = guarded(store)
    study_id = only_study(app)
    assert len(json.loads(call(app, f"/api/studies/{study_id}")[2])["trials"]) == 12
    fill(store, 5)
    deadline = time.monotonic() + 60  # the dashboard itself remembers a small study for two seconds
    while len(json.loads(call(app, f"/api/studies/{study_id}")[2])["trials"]) != 17:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert len(json.loads(call(app, f"/api/studies/{study_id}?after=16")[2])["trials"]) == 1


def test_a_poll_reads_no_finished_trial_again(store):
    live = Live(store)
    study_id = only_study(guard(live, live.complete))
    before = live.complete(study_id)
    fill(store, 4)
    after = live.complete(study_id)
    assert len(after) == len(before) + 1
    assert all(old is new for old, new in zip(before, after, strict=False))


def test_a_study_made_anew_does_not_show_the_trials_of_the_old_one(store):
    app = guarded(store)
    assert len(json.loads(call(app, f"/api/studies/{only_study(app)}")[2])["trials"]) == 12
    store.delete("rates")
    fill(store, 3)
    trials = json.loads(call(app, f"/api/studies/{only_study(app)}")[2])["trials"]
    assert [trial["number"] for trial in trials] == [0, 1, 2]


def test_a_deleted_study_is_not_found(store):
    app = guarded(store)
    study_id = only_study(app)
    assert call(app, f"/api/studies/{study_id}")[0] == 200
    store.delete("rates")
    assert call(app, f"/api/studies/{study_id}")[0] == 404


# --- notes and plots --------------------------------------------------------


def test_annotating_twice_writes_once(store):
    with store.session("rates", ["minimize"]) as session:
        annotate(session.study, STUDY)
        assert not session._recorder.changes


def test_the_dashboard_serves_the_note_and_a_heat_map_that_plotly_accepts(reader):
    detail = json.loads(call(reader, f"/api/studies/{only_study(reader)}")[2])
    assert "**0.280 ± 0.020** (trial 3, mean of 2 fresh runs)" in detail["note"]["body"]
    assert TEXT in detail["note"]["body"]
    (plot,) = detail["plotly_graph_objects"]
    assert plot["id"] == PLOT
    figure = plotly.io.from_json(plot["graph_object"])  # raises for what plotly does not know
    assert figure.data[0].type == "heatmap"
    assert figure.layout.yaxis.title.text == "batch_size x accumulation_steps"


# --- the server -------------------------------------------------------------

SERVE = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run in the background of a shell would ignore it
from hpo.search.dashboard.server import serve
from hpo.search.store import open_store
serve(open_store(sys.argv[1]), port=0, ready=lambda address: print(address, flush=True))
print("over", flush=True)
"""


@pytest.fixture
def served(store: Store) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    command = [sys.executable, "-c", SERVE, str(store._location.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        yield process.stdout.readline().strip(), process
        process.kill()


def test_the_server_answers_on_loopback_and_ends_quietly_on_ctrl_c(served):
    address, process = served
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", address)
    with urllib.request.urlopen(f"{address}api/studies") as answer:
        assert json.load(answer)["study_summaries"][0]["study_name"] == "rates"
    foreign = urllib.request.Request(f"{address}api/studies", headers={"Host": "evil.example"})
    with pytest.raises(urllib.error.HTTPError, match="403") as refused:
        urllib.request.urlopen(foreign)
    refused.value.close()
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=20) == ("over\n", "")
    assert process.returncode == 0


def test_a_taken_port_is_told_with_another_to_take(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"port {port} is in use.*--port {port + 1}, or --port 0"):
            serve(open_store(tmp_path / "hpo.db"), port=port)
    assert not (tmp_path / "hpo.db").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"port": 70000}, "--port 70000"),
        ({"port": -1}, "--port -1"),
        ({"port": 0, "host": "192.0.2.1"}, "cannot listen on '192.0.2.1'"),
    ],
)
def test_a_port_or_host_that_cannot_be_used_is_named(tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        serve(open_store(tmp_path / "hpo.db"), **options)


def test_a_missing_dashboard_is_told_with_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna_dashboard", None)
    with pytest.raises(UserError, match="pip install 'optuna-dashboard"):
        serve(open_store(tmp_path / "hpo.db"), port=0)


# --- in a browser -----------------------------------------------------------

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")


def page(address: str, profile: Path) -> str:
    """The page at an address after its scripts have run, as HTML."""
    flags = [
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-component-update",
        "--disable-background-networking", "--disable-sync", f"--user-data-dir={profile}", "--window-size=1400,2400",
        "--virtual-time-budget=15000", "--dump-dom",
    ]  # fmt: skip
    done = subprocess.run([CHROMIUM, *flags, address], capture_output=True, text=True, timeout=120, check=True)
    return done.stdout


def assert_shows_the_study(address: str, study_id: int, profile: Path) -> None:
    html = page(f"{address}dashboard/studies/{study_id}", profile)
    curves = html[html.index("Intermediate values") :]
    assert "trial #11" in curves
    assert "Best val_loss by learning_rate and batch" in html
    assert len(re.findall(r">★ 0\.\d+<", html)) == 1, "no cell of the heat map is marked as the winner's"
    note = re.sub("<[^>]+>", "", page(f"{address}dashboard/studies/{study_id}/note", profile))
    for words in ("Which rate for which batch?", "0.280 ± 0.020", "Finalists", "accuracy 0.97", "objective: mlp"):
        assert words in note


@pytest.mark.browser
@pytest.mark.slow
@needs_browser
@pytest.mark.parametrize("store", ["hpo.db"], indirect=True)
def test_a_finished_study_shows_its_curves_its_note_and_its_heat_map(served, tmp_path):
    address, _ = served
    with urllib.request.urlopen(f"{address}api/studies") as answer:
        study_id = json.load(answer)["study_summaries"][0]["study_id"]
    assert_shows_the_study(address, study_id, tmp_path / "profile")


@pytest.mark.browser
@pytest.mark.slow
@needs_browser
def test_the_dashboard_started_by_hand_on_the_same_file_shows_the_same(store, tmp_path):
    place = f"sqlite:///{store.display}" if store.display.endswith(".db") else store.display
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    script = Path(sys.executable).with_name("optuna-dashboard")
    command = [sys.executable, "-W", "ignore", str(script), place, "--port", str(port), "--quiet"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            address = f"http://127.0.0.1:{port}/"
            for _ in range(600):
                try:
                    with urllib.request.urlopen(f"{address}api/studies") as answer:
                        study_id = json.load(answer)["study_summaries"][0]["study_id"]
                    break
                except OSError:
                    time.sleep(0.1)
            assert_shows_the_study(address, study_id, tmp_path / "profile")
        finally:
            process.kill()
