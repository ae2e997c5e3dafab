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
from wsgiref.simple_server import demo_app
from wsgiref.util import setup_testing_defaults

import optuna
import plotly.io
import pytest

from hpo.search.dashboard.annotate import PLOT, annotate
from hpo.search.dashboard.guard import PLOT_LIMIT, guard, plot_size
from hpo.search.dashboard.live import Live
from hpo.search.dashboard.server import serve
from hpo.search.store import Store, open_store
from hpo.search.store.distributions import to_distribution
from hpo.search.terms.domain import Choice, Float
from hpo.search.terms.errors import UserError
from hpo.search.terms.space import Parameter, Space
from hpo.search.terms.study import Goal, Study

SPACE = Space(
    (
        Parameter("learning_rate", Float(1e-4, 1.0, log=True)),
        Parameter("batch_size", Choice((16, 32, 64))),
        Parameter("accumulation_steps", Choice((1, 2))),
    )
)
TEXT = "# Which rate for which batch?\nobjective: mlp\ngoal: minimize val_loss\n"
STUDY = Study("rates", "mlp", (Goal("val_loss", "minimize"),), SPACE, "Which rate for which batch?", text=TEXT)
POINT = {"learning_rate": 0.01, "batch_size": 32, "accumulation_steps": 1}
RUNS = {"trial": 3, "searched": [0.25], "runs": [[0.27], [0.29]], "mean": [0.28], "half": [0.02]}
WINNER = {"recipe": POINT, "candidates": [{"point": POINT, **RUNS}], "test": {"accuracy": 0.97}}


def trial(i: int) -> optuna.trial.FrozenTrial:
    point = SPACE.from_unit([i % 7 / 7, i % 3 / 3, i % 2 / 2])
    curve = {step: 1.0 + i / 10 - step / 10 for step in range(1, 6)}
    state = optuna.trial.TrialState.COMPLETE if i % 4 == 3 else optuna.trial.TrialState.PRUNED
    distributions = {name: to_distribution(SPACE[name].domain) for name in point}
    return optuna.create_trial(
        state=state, value=curve[5], params=point, distributions=distributions, intermediate_values=curve
    )


def fill(store: Store, count: int, *, winner: bool = True) -> None:
    with store.session(STUDY.name, STUDY.directions) as session:
        for i in range(count):
            session.study.add_trial(trial(i))
        if winner:
            session.study.set_user_attr("winner", WINNER)
        annotate(session.study, STUDY)
        session.commit()


@pytest.fixture(params=["hpo.db", "hpo.journal"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    made = open_store(tmp_path / request.param)
    fill(made, 12)
    return made


def call(app, path, method="GET", *, host="localhost:8080", body=None, **environ):
    """Status, headers with lower-case names, and body of a request answered in this process."""
    path, _, query = path.partition("?")
    data = json.dumps(body).encode() if body is not None else b""
    environ = {"PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": method, "HTTP_HOST": host, **environ}
    environ["CONTENT_LENGTH"], environ["CONTENT_TYPE"] = str(len(data)), "application/json"
    setup_testing_defaults(environ)
    environ["wsgi.input"].write(data)
    environ["wsgi.input"].seek(0)
    answer = []
    parts = app(environ, lambda status, headers, *error: answer.append((status, headers)))
    body = b"".join(parts)
    if hasattr(parts, "close"):
        parts.close()
    status, headers = answer[-1]
    return int(status[:3]), {name.lower(): value for name, value in headers}, body


def guarded(store: Store, **options):
    live = Live(store)
    return guard(live, live.complete, **options)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory):
    """A read-only dashboard that tests share."""
    store = open_store(tmp_path_factory.mktemp("store") / "hpo.db")
    fill(store, 12)
    return guarded(store)


def only_study(app) -> int:
    (study,) = json.loads(call(app, "/api/studies")[2])["study_summaries"]
    return study["study_id"]


# --- the guard --------------------------------------------------------------


def test_the_dashboard_can_be_read_through_the_guard(reader):
    study_id = only_study(reader)
    status, headers, body = call(reader, f"/api/studies/{study_id}")
    detail = json.loads(body)
    assert status == 200
    assert headers["x-content-type-options"] == "nosniff"
    assert len(detail["trials"]) == 12
    assert detail["has_intermediate_values"]
    assert call(reader, f"/dashboard/studies/{study_id}", "HEAD")[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_nothing_can_be_changed_without_write(reader, method):
    study_id = only_study(reader)
    status, headers, body = call(reader, f"/api/studies/{study_id}", method, body={})
    assert status == 405
    assert headers["allow"] == "GET, HEAD"
    assert "hpo dashboard --write" in json.loads(body)["reason"]
    assert only_study(reader) == study_id


def test_with_write_a_note_can_be_edited_and_a_study_deleted(store):
    app = guarded(store, write=True)
    study_id = only_study(app)
    version = json.loads(call(app, f"/api/studies/{study_id}")[2])["note"]["version"]
    note = {"version": version + 1, "body": "mine"}
    own = {"HTTP_ORIGIN": "http://localhost:8080"}
    assert call(app, f"/api/studies/{study_id}/note", "PUT", body=note, **own)[0] == 204
    assert call(app, f"/api/studies/{study_id}", "DELETE", body={}, **own)[0] == 204
    assert open_store(store._location.path).names() == []


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "http://localhost.evil.example:8080",
        "http://localhost:9999",
        "http://localhost",
        "http://127.0.0.1:8080",
        "https://localhost:8080",
        "http://x@localhost:8080",
        "http://localhost:8080/",
        "",
        "localhost:8080",
        "http://localhost:80800",
        "http://[::1]:8080",
    ],
)
def test_changes_asked_for_by_other_pages_are_refused(store, origin):
    app = guarded(store, write=True)
    status, _, _ = call(app, f"/api/studies/{only_study(app)}", "DELETE", body={}, HTTP_ORIGIN=origin)
    assert status == 403
    assert store.names() == ["rates"]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9", "127.0.0.1:8080", "[::1]:8080", "localhost.:8080"])
def test_its_own_names_are_answered(reader, host):
    assert call(reader, "/api/studies", host=host)[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:8080",
        "127.0.0.1.evil.example",
        "10.0.0.7:8080",
        "",
        "localhost@evil",
        "[::1].evil.com",
        "[::1].evil.com:8080",
        "[::1]evil",
        "[::1",
        "::1",
        "localhost:8080.evil.com",
        "localhost:",
        "localhost:x",
        "localhost:99999",
        "localhost..",
        "localhost:8080:8080",
        "127.0.0.1 evil.com",
        "localhost\t",
        "localhost/evil",
        "[localhost]",
    ],
)
def test_other_names_are_refused_because_a_name_can_be_rebound(reader, host):
    status, headers, body = call(reader, "/api/studies", host=host)
    assert status == 403
    assert headers["content-type"] == "application/json"
    assert "tunnel" in json.loads(body)["reason"]


def test_a_server_on_all_addresses_is_reached_by_any_address_but_by_no_foreign_name(store):
    app = guarded(store, addresses=True)
    assert call(app, "/api/studies", host="10.0.0.7:8080")[0] == 200
    assert call(app, "/api/studies", host="[fe80::1]:8080")[0] == 200
    assert call(app, "/api/studies", host="evil.example:8080")[0] == 403


def test_an_artifact_is_a_file_to_save_and_never_a_page_of_this_origin(store, tmp_path):
    from optuna.artifacts import FileSystemArtifactStore, upload_artifact
    from optuna_dashboard import wsgi

    storage = store.storage()
    (tmp_path / "files").mkdir()
    (tmp_path / "page.html").write_text("<script>alert(1)</script>")
    files = FileSystemArtifactStore(tmp_path / "files")
    study = optuna.load_study(study_name="rates", storage=storage)
    name = upload_artifact(artifact_store=files, file_path=str(tmp_path / "page.html"), study_or_trial=study)
    app = guard(wsgi(storage, artifact_store=files), lambda study_id: ())
    for path in (f"/artifacts/{study._study_id}/{name}", f"//artifacts/{study._study_id}/{name}"):
        status, headers, body = call(app, path)
        assert status == 404 or (
            body == b"<script>alert(1)</script>"
            and headers["content-disposition"] == "attachment"
            and headers["content-security-policy"] == "sandbox; default-src 'none'"
            and headers["x-content-type-options"] == "nosniff"
            and "access-control-allow-origin" not in headers
        )
    assert call(app, f"/artifacts/{study._study_id}/{name}")[0] == 200


@pytest.mark.parametrize("kind", ["contour", "rank"])
def test_a_plot_too_large_for_a_browser_is_refused_with_a_reason(kind):
    distributions = {f"x{i}": optuna.distributions.FloatDistribution(0, 1) for i in range(6)}
    many = [
        optuna.create_trial(value=0.0, params=dict.fromkeys(distributions, k / 5000), distributions=distributions)
        for k in range(5000)
    ]
    assert plot_size(many, kind) > PLOT_LIMIT
    status, _, body = call(guard(demo_app, lambda study_id: many), f"/api/studies/1/plot/{kind}")
    assert status == 422
    assert "5000 trials" in json.loads(body)["reason"]


@pytest.mark.parametrize("kind", ["contour", "rank"])
def test_the_size_of_a_plot_is_foreseen(tmp_path, kind):
    store = open_store(tmp_path / "hpo.db")
    distributions = {f"x{i}": optuna.distributions.FloatDistribution(0, 1) for i in range(3)}
    with store.session("big", ["minimize"]) as session:
        for k in range(300):
            params = {name: (k * (i + 1) * 0.618) % 1 for i, name in enumerate(distributions)}
            session.study.add_trial(optuna.create_trial(value=k / 7, params=params, distributions=distributions))
        session.commit()
    live = Live(store)
    _, _, body = call(guard(live, live.complete), f"/api/studies/1/plot/{kind}")
    assert plot_size(live.complete(1), kind) == pytest.approx(len(body), rel=0.3)


# --- a store that changes ---------------------------------------------------


def test_trials_written_by_a_running_study_appear_within_a_poll(store):
    app = guarded(store)
    study_id = only_study(app)
    assert len(json.loads(call(app, f"/api/studies/{study_id}")[2])["trials"]) == 12
    fill(store, 5)
    time.sleep(2.1)  # what the dashboard itself remembers of a small study, in seconds
    assert len(json.loads(call(app, f"/api/studies/{study_id}")[2])["trials"]) == 17
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
