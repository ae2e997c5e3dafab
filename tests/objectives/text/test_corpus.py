"""Documents are found whole and split once; a corpus is read from disk, whatever its size and form."""

from __future__ import annotations

import gzip
import itertools
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpo.objectives import data
from hpo.objectives.data import texts
from hpo.objectives.text import indexing, reading
from hpo.objectives.text.corpus import PARTS, Corpus, open_corpus
from hpo.search.terms.errors import DataError

HERE = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
COUNT = itertools.count()

LINES = [f"document number {i} says {'é' * (i % 3)}." for i in range(60)]


def write(text: str | bytes, name: str = "") -> str:
    path = Path(name or f"{next(COUNT)}.txt")
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def opened(path: Any, seed: int = 0, **options: Any) -> Corpus:
    return open_corpus({"text": {"path": path, **options}}, seed)


def every(corpus: Corpus) -> dict[str, list[str]]:
    return {part: list(corpus.texts(part)) for part in PARTS}


def whole(corpus: Corpus) -> list[str]:
    return [text for texts_ in every(corpus).values() for text in texts_]


def found_in(text: bytes, documents: str, chunk: int, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Documents of a file that is read a few bytes at a time."""
    with monkeypatch.context() as changed:
        changed.setattr(indexing, "CHUNK", chunk)
        path = Path(write(text)).resolve()
        _, found = indexing.index(texts.Texts("it", (path,), documents), [str(next(COUNT))])
    return [text[start:end] for start, end in zip(found.starts[:].tolist(), found.ends[:].tolist(), strict=True)]


TEXT = st.text("ab é\t\n\r ", max_size=60).filter(lambda text: bool(text.encode().strip()))


@HERE
@given(text=TEXT, chunk=st.integers(1, 9), mark=st.booleans())
def test_lines_and_blocks_are_those_of_a_plain_loop_wherever_reading_stops(
    monkeypatch: pytest.MonkeyPatch, text: str, chunk: int, mark: bool
) -> None:
    plain = text.encode()
    data_ = b"\xef\xbb\xbf" + plain if mark and chunk >= 3 else plain
    lines = [line.removesuffix(b"\r") if more else line for *_, line, more in numbered(plain)]
    assert found_in(data_, "line", chunk, monkeypatch) == [line for line in lines if line.strip()]
    blocks, run = list[bytes](), list[bytes]()
    for *_, line, more in [*numbered(plain), (b"", True)]:
        if line.strip():
            run.append(line + (b"\n" if more else b""))
        elif run:
            last = run[-1]
            blocks.append(
                b"".join(run[:-1]) + last.removesuffix(b"\n").removesuffix(b"\r" if last.endswith(b"\n") else b"")
            )
            run = []
    assert found_in(data_, "blank", chunk, monkeypatch) == blocks
    assert found_in(data_, "file", chunk, monkeypatch) == [plain]


def numbered(text: bytes) -> list[tuple[bytes, bool]]:
    """Lines without their break, and whether there was one."""
    parts = text.split(b"\n")
    return [*((line, True) for line in parts[:-1]), *([(parts[-1], False)] if parts[-1] else [])]


@pytest.mark.parametrize("form", ["plain", "gz", "jsonl", "jsonl.gz", "many"])
def test_the_same_documents_are_read_from_every_form_of_file(form: str) -> None:
    if form == "many":
        for i, line in enumerate(LINES):
            write(line, f"doc-{i:03}.txt")
        corpus = opened("doc-*.txt")
    elif form.startswith("jsonl"):
        rows = "".join(json.dumps({"id": 1, "body": line}) + "\n\n" for line in LINES)
        packed = gzip.compress(rows.encode(), mtime=0) if form.endswith("gz") else rows
        corpus = opened(write(packed, f"rows.{form}"), field="body")
    else:
        text = "\n".join(LINES)
        corpus = opened(
            write(gzip.compress(text.encode(), mtime=0) if form == "gz" else text, f"t.{form}"), documents="line"
        )
    assert sorted(whole(corpus)) == sorted(LINES)
    assert corpus.documents == {"train": 48, "validation": 6, "test": 6}
    assert {part: sum(len(text.encode()) for text in every(corpus)[part]) for part in PARTS} == corpus.bytes
    assert every(corpus) == every(opened(write("\n".join(LINES)), documents="line"))


def test_the_seed_decides_the_split_and_nothing_else_does() -> None:
    path = write("\n".join(LINES))
    first = every(opened(path, 3, documents="line"))
    copy = write("\n".join(LINES), "copied.md")
    assert every(opened(copy, 3, documents="line")) == first
    assert every(opened(path, 4, documents="line")) != first
    assert [len(first[part]) for part in PARTS] == [48, 6, 6]
    places = [LINES.index(text) for text in first["train"]]
    assert places == sorted(places), "parts keep the order of the corpus"


def test_shares_are_of_documents_and_at_least_one_each() -> None:
    path = write("\n".join(LINES[:20]))
    assert opened(path, documents="line", validation=0.25, test=0).documents == {
        "train": 15,
        "validation": 5,
        "test": 0,
    }
    small = opened(path, documents="line", validation=0.001, test=0.001)
    assert small.documents == {"train": 18, "validation": 1, "test": 1}
    with pytest.raises(DataError, match="leave no rows"):
        opened(path, documents="line", validation=0.5, test=0.5)


def test_another_process_finds_and_splits_the_same(elsewhere: Any) -> None:
    assert elsewhere("in_a_process()") == in_a_process()


def in_a_process() -> Any:
    path = write("\n".join(LINES), "lines.txt")
    corpus = opened(path, 5, documents="line")
    return [corpus.digest, corpus.key, every(corpus)]


@given(lines=st.lists(st.text("abc é", max_size=30), min_size=4, max_size=40), test=st.sampled_from([0, 0.1, 0.3]))
@HERE
def test_a_few_documents_are_cut_along_their_text_at_line_ends(lines: list[str], test: float) -> None:
    text = "".join(f"{line}.\n" for line in lines)
    cut = len(text.encode()) // 3
    paths = [write(text), write(text[: len(text) - cut])] if cut % 2 and text[:-cut].strip() else [write(text)]
    with suppress(DataError):  # too few lines
        parts_are_the_text(opened(paths, validation=0.3, test=test), texts_of(paths), test)


def texts_of(paths: list[str]) -> list[str]:
    return [Path(path).read_bytes().decode() for path in paths]


def parts_are_the_text(corpus: Corpus, both: list[str], test: float) -> None:
    parts = every(corpus)
    assert "".join("".join(parts[part]) for part in PARTS) == "".join(both)
    for part in ("train", "validation"):
        last = parts[part][-1]
        assert last.endswith("\n") or any(one.endswith(last) for one in both)
    assert (corpus.documents["test"] == 0) == (test == 0)
    size = sum(corpus.bytes.values())
    longest = max(len(line.encode()) for line in "".join(both).splitlines(keepends=True))
    assert abs(corpus.bytes["train"] - (0.7 - test) * size) <= longest
    assert any("documents: blank or documents: line" in note for note in corpus.notes)


def test_documents_that_occur_in_training_too_are_told_and_stay() -> None:
    twice = [f"text number {i % 30}" for i in range(60)]
    corpus = opened(write("\n".join(twice)), documents="line")
    parts = every(corpus)
    for part in ("validation", "test"):
        known = sum(text in parts["train"] for text in parts[part])
        assert known
        assert any(note.startswith(f"{known} of 6 {part} documents ({known / 6:.1%})") for note in corpus.notes)
    assert len(whole(corpus)) == 60
    assert not opened(write("\n".join(LINES)), documents="line").notes


def test_a_long_document_twice_is_seen_though_it_is_read_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PIECE", 40)
    monkeypatch.setattr("hpo.objectives.text.parts.PIECE", 40)
    long = "a line of a document\n" * 10
    rows = [{"text": f" {long}  \n" if i % 2 else long} for i in range(20)] + [
        {"text": f"{i}{long}"} for i in range(20)
    ]
    corpus = opened(write("".join(json.dumps(row) + "\n" for row in rows), "rows.jsonl"))
    parts = every(corpus)
    stripped = {text.strip() for text in parts["train"]}
    known = sum(text.strip() in stripped for text in parts["validation"])
    told = [note for note in corpus.notes if note.startswith(f"{known} of 4 validation documents")]
    assert bool(told) == bool(known)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.txt", b"fine\n\xffbad", "not UTF-8 at byte 5 (0xff): convert it with iconv"),
        ("a.txt", "ends within é".encode()[:-1], "not UTF-8 at byte 12 (0xc3)"),
        ("a.txt", "hello".encode("utf-16"), "is UTF-16: convert it with iconv -f UTF-16"),
        ("a.txt", b"abc\0def", "NUL byte at byte 3"),
        ("a.txt", b"", "is empty"),
        ("a.txt", b" \n\n ", "holds no document"),
        ("a.txt.gz", gzip.compress(bytes(LINES[0] * 999, "utf-8"), mtime=0)[:-20], "damaged or cut off"),
        ("a.txt.gz", b"no gzip at all", "damaged or cut off"),
        ("a.txt.gz", gzip.compress(b"abc\xff", mtime=0), "not UTF-8 at byte 3"),
        ("a.jsonl", b'{"text": "a"}\n{"text" "b"}\n', "a.jsonl:2 is no JSON"),
        ("a.jsonl", b'{"text": "a"}\n\n{"txt": "b"}\n', "a.jsonl:3: the field 'text' is missing; the line has 'txt'"),
        ("a.jsonl", b'{"text": ["a"]}\n', "a.jsonl:1: the field 'text' is no text"),
        ("a.jsonl", b'["text"]\n', "a.jsonl:1: the field 'text' is missing; the line has list"),
        ("a.jsonl", b'{"text": "a\\u0000"}\n', "a.jsonl:1: the text has a NUL"),
        ("a.jsonl", b'{"text": "\\ud800"}\n', "half of a surrogate pair"),
        ("a.jsonl", b'{"text": "\xff"}\n', "a.jsonl:1 is not UTF-8"),
        ("a.jsonl.gz", gzip.compress(b'{"text": "a"}\n' * 99, mtime=0)[:-9], "damaged or cut off"),
        ("a.txt", b"a", "too little text"),
    ],
)
def test_what_is_no_text_is_refused_with_its_place_and_what_to_do(name: str, content: bytes, said: str) -> None:
    with pytest.raises(DataError) as caught:
        opened(write(content, name))
    assert said in str(caught.value)
    assert not list(Path(".hpo/text").glob("*.tmp"))


def test_the_place_of_a_bad_byte_is_counted_over_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexing, "CHUNK", 7)
    text = "éa" * 50
    with pytest.raises(DataError, match="at byte 150 "):
        opened(write(text.encode() + b"\xe9\n"))


@pytest.mark.parametrize("spec", ["digits", {"table": {"path": "t.csv", "target": "y"}}, 3, {"text": "a.txt"}])
def test_what_is_no_text_at_all_is_told_how_to_name_one(spec: Any) -> None:
    with pytest.raises(DataError, match=r"write \{text: \{path: FILE\}\}, or stdlib"):
        open_corpus(spec, 0)


def test_notes_are_about_all_files_that_were_named() -> None:
    paths = [write(f"{name} and some more text\n" * 40) for name in ("one", "two", "three")]
    corpus = open_corpus({"text": {"path": paths}}, 0)
    assert corpus.notes[0].startswith(f"{paths[0]} (and 2 more) has 3 documents, fewer than 20")
    assert "what occurs in two of them is not counted" in corpus.notes[0]


def test_a_file_named_twice_is_read_once() -> None:
    path = write("\n".join(LINES))
    assert sum(opened([path, f"./{path}", "*.txt"], documents="line").documents.values()) == 60


def test_a_text_that_changes_after_it_was_opened_is_noticed() -> None:
    path = write("\n".join(LINES))
    corpus = opened(path, documents="line")
    list(corpus.texts("train"))
    write("\n".join(LINES[::-1] * 2), path)
    with pytest.raises(DataError, match="has changed since it was opened"):
        list(corpus.texts("train"))
    os.unlink(path)
    with pytest.raises(DataError, match="cannot be read any more"):
        list(corpus.texts("train"))


def test_the_digest_names_the_content_in_its_order() -> None:
    one, two = write("one\n" * 30), write("two\n" * 30)
    spec = {"text": {"path": [one, two], "documents": "line"}}
    assert open_corpus(spec, 0).digest == data.digest(spec)
    assert data.digest({"text": {"path": [two, one]}}) != data.digest(spec)
    assert data.digest({"text": {"path": [one, two]}}) == data.digest(spec)


def test_the_standard_library_is_a_corpus_without_its_tests_and_what_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = tmp_path / "python"
    for name in ("a.py", "json/b.py", "test/c.py", "json/tests/d.py", "site-packages/e.py", "f.txt"):
        (library / name).parent.mkdir(parents=True, exist_ok=True)
        (library / name).write_text(f"# {name}\n" * 9)
    (library / "g.py").write_bytes(b"# \xff\n")
    (library / "json" / "__init__.py").touch()
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(library))
    corpus = open_corpus("stdlib", 0)
    assert "".join(whole(corpus)) == "# a.py\n" * 9 + "# json/b.py\n" * 9
    assert corpus.notes[0] == "stdlib: 1 of 4 files are not UTF-8 and are left out"
    assert corpus.digest == data.digest("stdlib")
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match="no sources of the Python standard library"):
        open_corpus("stdlib", 0)


def test_the_standard_library_that_runs_this_is_megabytes_of_documents() -> None:
    corpus = open_corpus("stdlib", 0)
    assert sum(corpus.documents.values()) > 300
    assert sum(corpus.bytes.values()) > 5e6
    assert (corpus.bytes["validation"] > 0) == (corpus.bytes["test"] > 0) == True  # noqa: E712


@HERE
@given(text=st.text("ab\n é", min_size=30, max_size=200), most=st.integers(8, 40))
def test_a_cut_is_between_characters_and_never_nothing(text: str, most: int) -> None:
    data_ = text.encode()
    if len(data_) <= most:
        return
    place = reading.cut(data_[: most + 1], most)
    assert 0 < place <= most
    assert data_[:place].decode() + data_[place:].decode() == text


def test_a_text_of_one_line_is_cut_between_words() -> None:
    corpus = opened(write("word " * 4000, "one.txt"))
    parts = [b"".join(part).decode() for part in ([t.encode() for t in corpus.texts(name)] for name in PARTS)]
    assert "".join(parts) == "word " * 4000
    assert all(len(part) > 1500 and part.strip().startswith("word") for part in parts)


def test_a_long_line_leaves_validation_its_share() -> None:
    corpus = opened(write("x " * 150_000 + "\n" + "short line\n" * 300, "long.txt"))
    assert corpus.bytes["validation"] > 0.05 * sum(corpus.bytes.values())
