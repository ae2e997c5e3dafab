import json
from wsgiref.simple_server import demo_app

import optuna
import pytest
from dashboards import call, guarded, only_study

from hpo.search.dashboard.guard import PLOT_LIMIT, guard, plot_size
from hpo.search.dashboard.live import Live
from hpo.search.store import open_store


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
