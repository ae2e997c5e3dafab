"""Where a store is: every place that cannot be one is said in one message, and no password is ever shown."""

from __future__ import annotations

import contextlib
import os
from urllib.parse import quote

import hypothesis.strategies as st
import pytest
from hypothesis import assume, given, settings

from hpo.search.cli import main
from hpo.search.store import open_store
from hpo.search.store.location import parse_location
from hpo.search.store.server import parse_server
from hpo.search.studyfile.reader import read
from hpo.search.terms.errors import StudyFileError, UserError, without_secrets

STUDY = "objective: ./o.py\ngoal: minimize loss\nsearch: {a: {float: [0, 1]}}\nbudget: {trials: 2}\nconfirm: none\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with a study and places that cannot be stores."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "o.py").write_text("def train(*, a: float = 0.0):\n    yield {'loss': a}\n")
    (tmp_path / "s.yaml").write_text(STUDY)
    (tmp_path / "folder.db").mkdir()
    (tmp_path / "text.db").write_text("hello")
    (tmp_path / "loop.db").symlink_to("loop.db")
    os.mkfifo(tmp_path / "pipe.db")
    os.mkfifo(tmp_path / "pipe.journal")
    return tmp_path


IMPOSSIBLE = (
    "~nouser/x.db", "~nouser/x.journal", "folder.db", "pipe.db", "pipe.journal", "sqlite:///pipe.db", "loop.db",
    "text.db", "text.db/x.db", "text.db/x.journal", "missing/x.db", "missing/x.journal", "/proc/x.db",
    "/proc/x.journal", "/proc/self/mem", "sqlite:////dev/null", "journal:////dev/null", "journal:////proc/version",
    "a" * 5000 + ".db", "a" * 5000 + ".journal", "é" * 127 + ".db", "x/" * 3000 + "x.db", "\0.db", "\0.journal", " ",
    "sqlite:", "sqlite:x.db", "sqlite:/x.db", "sqlite://", "sqlite:///", "sqlite:///:memory:", "journal://", "x",
    "x.txt", "mysql://u:pass@h/d", "redis://h", "://x", "postgres:x", "postgresql:/u:pass@h/x.db", "host=h password=x",
)  # fmt: skip


@pytest.mark.parametrize("place", IMPOSSIBLE, ids=lambda place: ascii(place[:40]))
def test_a_place_that_cannot_be_a_store_is_told_in_one_message(folder, capsys, place):
    before = sorted(os.listdir(folder))
    for words in (["run", "--study", "s.yaml", "--quiet"], ["run", "--study", "s.yaml", "--json"]):
        assert main([*words, "--storage", place]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert "Traceback" not in err
        assert len(err) < 1500
        assert "pass@" not in err
    assert main(["status", "--storage", place]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert [name for name in sorted(os.listdir(folder)) if name != ".hpo"] == before


def test_an_empty_place_is_none(folder, capsys):
    assert main(["status", "--storage", ""]) == 2
    assert "storage is empty" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["odd ?#%{}.db", "\udcff.db", "\udcff.journal", "a\x1b[31m.db", "-.db"])
def test_a_file_of_any_name_is_a_store_and_shown_in_visible_letters(folder, capsys, place):
    assert main(["run", "--study", "s.yaml", "--quiet", f"--storage={place}"]) == 0
    assert main(["status", f"--storage={place}"]) == 0
    out, _ = capsys.readouterr()
    assert all(line.isprintable() for line in out.splitlines())
    assert os.path.exists(place)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_named(folder, capsys):
    (folder / "closed").mkdir(mode=0o555)
    for name in ("x.db", "x.journal"):
        assert main(["run", "--study", "s.yaml", "--quiet", "--storage", f"closed/{name}"]) == 2
        assert "no permission" in capsys.readouterr().err


# --- passwords ------------------------------------------------------------------------------------------------------

words = st.text(st.characters(min_codepoint=97, max_codepoint=122), min_size=1, max_size=6)
passwords = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=4, max_size=12).filter(
    lambda text: sum(letter.isalnum() for letter in text) >= 4
)


@st.composite
def urls(draw: st.DrawFn) -> tuple[str, str]:
    """A URL, right or mistyped, with a password in it; and the password."""
    secret = draw(passwords)
    written = quote(secret, safe="") if draw(st.booleans()) else secret
    scheme = draw(
        st.sampled_from(
            ["postgresql://", "postgres://", "postgresql+psycopg://", "mysql://", "postgresql:/", "postgresql//"]
        )
    )
    user, host, name = draw(words), draw(words), draw(words)
    port = draw(st.sampled_from(["", ":5432", ":port", ":99999", ":"]))
    key = draw(st.sampled_from(["password", "sslpassword", "passfile", "pasword", "options"]))
    form = draw(
        st.sampled_from(
            [
                "{scheme}{user}:{written}@{host}{port}/{name}",
                "{scheme}{user}:{written}@{host}{port}",
                "{scheme}:{written}@{host}{port}/{name}",
                "{scheme}{user}@{host}{port}/{name}?{key}={written}",
                "{scheme}{host}{port}?{key}={written}&sslmode=require",
                "{scheme}{host}/{name}?x=%ZZ&{key}={written}",
                "{user}:{written}@{host}/{name}",
            ]
        )
    )
    parts = {"scheme": scheme, "user": user, "host": host, "name": name, "port": port, "key": key, "written": written}
    rest = form.format(**{**parts, "written": ""})
    assume(secret not in rest)
    return form.format(**parts), secret


SAID = (
    "storage postgresql://...: not a URL; write postgresql://user:password@host:5432/name, in user and password %40 for"
    " @, %2F for /, %3A for :, %3F for ?, %23 for #, %25 for % is not supported a path ending in .db, .sqlite or"
    " .sqlite3"
    " (SQLite), .journal or .log (Optuna journal), or :// behind its first word mysql Location(kind=None, path=None"
    " <study>:1:1 goal: goal must be 'minimize METRIC' such as goal: minimize val_loss, got a whole number"
)


@settings(max_examples=1000)
@given(urls())
def test_no_location_shows_its_password(url_and_secret):
    url, secret = url_and_secret
    assume(secret not in SAID)
    told = ""
    try:
        told = repr(parse_location(url))
    except UserError as error:
        told = str(error)
    assert told
    assert secret not in told


def said_of(url: str) -> str:
    """What is told of two wrong studies that have this store, one of them by the command line."""
    told = []
    for study, overrides in (
        ({"objective": "mlp", "goal": "minimise", "storage": url}, []),
        ({"goal": 5}, [("storage", url)]),
    ):
        with pytest.raises(StudyFileError) as caught:
            read(study, overrides)
        told.append(str(caught.value))
    return "\n".join(told)


@settings(max_examples=300)
@given(urls())
def test_no_mistake_of_a_study_file_shows_a_password(url_and_secret):
    url, secret = url_and_secret
    assume(secret not in SAID)
    assume(secret not in said_of("hpo.db"))  # a word such as true, which stands there anyway
    assert secret not in said_of(url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:12/34secret@h", "postgresql://h/d?password=s3cr%ZZet", "postgresql://u:s3cr@et@h",
        "postgresql://u:secret@h:port/d", "postgresql://u:sec?ret@h/d", "postgresql://u:1?password=secret@h/d",
        "postgresql://u:12#secret@h:x/d", "postgresql://u:secret@[::1/d", "postgresql://h:1,h:secret/d",
        "postgresql://h/d?passwordsecret", "postgresql://h/d?pass word=secret", "postgresql://u:%00secret@h",
        "POSTGRESQL://u:secret@h/d", "postgresql//u:secret@h/d.db ", "jdbc:postgresql://u:secret@h/d",
    ],
)  # fmt: skip
def test_a_url_that_cannot_be_read_is_not_repeated(folder, capsys, url):
    (folder / "url.yaml").write_text(f"{STUDY}storage: '{url}'\n")
    (folder / "inline.yaml").write_text(f'{{objective: ./o.py, goal: minimise loss, storage: "{url}", budgt: 1}}\n')
    for command in (
        ["status", "--storage", url], ["run", "--study", "s.yaml", "--storage", url], ["check", "url.yaml"],
        ["check", "inline.yaml"], ["delete", "--study", url], ["show", url, url], ["compare", "s.yaml", url],
    ):  # fmt: skip
        with contextlib.suppress(SystemExit):  # argparse's own
            assert main(command) == 2
        out, err = capsys.readouterr()
        for piece in ("secret", "34sec", "s3cr", "et@h", "sec?ret"):
            assert piece not in out + err, command


@pytest.mark.parametrize(
    ("rest", "display", "parameters"),
    [
        ("me:s%40cret@db:5432/hpo", "postgresql://me@db:5432/hpo",
         {"user": "me", "password": "s@cret", "host": "db", "port": "5432", "dbname": "hpo"}),
        ("h/d?password=x%26y&sslmode=require", "postgresql://h/d",
         {"host": "h", "dbname": "d", "password": "x&y", "sslmode": "require"}),
        ("u:a:b@[::1]:1/d", "postgresql://u@::1:1/d",
         {"user": "u", "password": "a:b", "host": "::1", "port": "1", "dbname": "d"}),
        ("/d?host=/tmp/socket", "postgresql:///tmp/socket/d", {"dbname": "d", "host": "/tmp/socket"}),
        ("%2Ftmp/d", "postgresql:///tmp/d", {"host": "/tmp", "dbname": "d"}),
        ("a:1,b:2/d", "postgresql://a,b:1,2/d", {"host": "a,b", "port": "1,2", "dbname": "d"}),
        ("", "postgresql://", {}),
    ],
)  # fmt: skip
def test_a_url_means_to_us_what_it_means_to_the_library(rest, display, parameters):
    found = parse_server(rest)
    assert found.display == display
    assert found.parameters == parameters
    psycopg = pytest.importorskip("psycopg")
    theirs = psycopg.conninfo.conninfo_to_dict(f"postgresql://{rest}")
    assert {key: str(value) for key, value in theirs.items()} == parameters


@pytest.mark.postgres
def test_what_the_server_says_is_shown_unless_it_repeats_a_secret(cluster):
    with pytest.raises(UserError, match=r'database "secret" does not exist|cannot be reached') as caught:
        open_store(f"postgresql://hpo:hunter22@/secret?host={cluster}").names()
    assert "hunter22" not in str(caught.value)
    with pytest.raises(UserError) as caught:
        open_store(f"postgresql://hpo:x@/d?host={cluster}&sslmode=hunter22").names()
    assert "hunter22" not in str(caught.value)


def test_messages_keep_what_is_no_secret():
    for text in (
        "postgresql://me@db.example:5432/hpo: connection failed; check host, port, user, password",
        "there is no study 'a@b' in hpo.db", "see https://optuna.org/x?y=1#z", "http://127.0.0.1:80/ needs a password",
    ):  # fmt: skip
        assert without_secrets(text) == text
