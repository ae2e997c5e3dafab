"""A language model's folder is whole: texts cost what they cost after training, and it writes and fills in."""

from __future__ import annotations

import csv
import gzip
import json
import shutil
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import modelfolders
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from modelfolders import CORPUS, TEXTS

import hpo
from hpo.objectives.text.corpus import open_corpus
from hpo.search.cli import main
from hpo.search.terms.errors import UserError

pytest.importorskip("tokenizers", reason="bpe needs the extra [text]")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A trained model of each kind in the working directory; what was kept of the text is gone."""
    folder = tmp_path_factory.mktemp("texts")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        modelfolders.written(folder)
        for name in TEXTS:
            modelfolders.trained(folder, name)
        shutil.rmtree(".hpo")
        yield folder


def predicted(capsys: pytest.CaptureFixture[str], *options: str) -> list[dict[str, str]]:
    assert main(["predict", *options]) == 0
    return list(csv.DictReader(StringIO(capsys.readouterr().out)))


@pytest.mark.parametrize("name", TEXTS)
def test_a_loaded_model_scores_what_was_scored_after_training(here: Path, name: str) -> None:
    texts = list(open_corpus(CORPUS, 0).texts("test"))
    assert hpo.load(name).score(texts) == json.loads(Path(name, "metrics.json").read_text())["test"]


@pytest.mark.parametrize("name", TEXTS)
def test_a_file_has_a_row_for_each_document_whatever_stands_beside_it(
    here: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    model, texts = hpo.load(name), [*modelfolders.words(3, seed=5), "", "日本 " * 30]
    Path("new.jsonl").write_text("\n".join(json.dumps({"id": f"n{i}", "body": text}) for i, text in enumerate(texts)))
    rows = predicted(capsys, name, "--data", "new.jsonl", "--keep", "id")
    assert [(row["id"], row["document"], int(row["bytes"])) for row in rows] == [
        (f"n{i}", str(i + 1), len(text.encode())) for i, text in enumerate(texts)
    ]
    assert rows[3]["bits_per_byte"] == rows[3]["nats_per_token"] == ""
    for text, row in zip(texts, rows, strict=True):
        if text:
            found = model.score(text)
            assert (found["bpb"], found["loss"]) == (float(row["bits_per_byte"]), float(row["nats_per_token"]))


def test_plain_and_gzipped_text_is_cut_into_documents(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("new.txt").write_text("the cat\nsat")
    with gzip.open("new.txt.gz", "wt") as file:
        file.write("the cat\nsat")
    (plain,), (packed,) = (predicted(capsys, "stream", "--data", f"new.txt{end}") for end in ("", ".gz"))
    assert plain == packed
    assert float(plain["bits_per_byte"]) == hpo.load("stream").score("the cat\nsat")["bpb"]


@settings(max_examples=8, deadline=None)
@given(text=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=80))
def test_any_text_has_a_finite_score_and_a_prompt_is_gone_on_from(here: Path, text: str) -> None:
    for model in (hpo.load("stream"), hpo.load("pairs")):
        assert 0 < model.score(text)["bpb"] < 100
        assert model.generate(text, n=3, seed=1) == model.generate(text, n=3, seed=1)


def test_temperature_0_and_one_candidate_take_the_likeliest_token(here: Path) -> None:
    model = hpo.load("stream")
    likeliest = {model.generate("the c", n=12, temperature=0, seed=seed) for seed in range(3)}
    assert likeliest == {model.generate("the c", n=12, temperature=5.0, top_k=1)}
    assert len({model.generate("the c", n=12, temperature=1.0, seed=seed) for seed in range(5)}) > 1


@settings(max_examples=15, deadline=None)
@given(words=st.lists(st.sampled_from(["the", "cat", "[MASK]", "naïve"]), min_size=1, max_size=40))
def test_filling_changes_masks_only_and_in_texts_longer_than_the_context_too(here: Path, words: list[str]) -> None:
    model, text = hpo.load("hidden"), " ".join(words)
    if "[MASK]" not in words:
        with pytest.raises(UserError, match=r"the text has no \[MASK\]"):
            model.fill(text)
        return
    ids = model.tokenizer.encode(text.replace("[MASK]", "_"))
    filled = model._task.filled(
        model.predictor.forward(), [model.tokenizer.mask if i == ord("_") else i for i in ids], None
    )
    assert [int(a) == int(b) for a, b in zip(ids, filled, strict=True) if a != ord("_")].count(False) == 0
    assert model.tokenizer.decode(filled) == model.fill(text)
    assert "[MASK]" not in model.fill(text)


def test_a_prompt_is_written_on_or_filled_in(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "stream", "--prompt", "the c", "--tokens", "5", "--seed", "3"]) == 0
    assert capsys.readouterr().out == "the c" + hpo.load("stream").generate("the c", n=5, seed=3) + "\n"
    assert main(["predict", "hidden", "--prompt", "the [MASK]at"]) == 0
    assert capsys.readouterr().out == hpo.load("hidden").fill("the [MASK]at") + "\n"


def _damaged(here: Path) -> str:
    shutil.copytree("stream", "damaged", dirs_exist_ok=True)
    Path("damaged", "tokenizer.json").write_text('{"characters": "ab"}')
    return "damaged"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["stream"], "name a table, arrays or text: --data FILE; or --prompt TEXT"),
        (["stream", "--prompt", "a", "--data", "words.jsonl"], "takes neither --data nor --output"),
        (["stream", "--data", "words.jsonl", "--top-k", "3"], "say how a --prompt is gone on from"),
        (["stream", "--prompt", "a", "--temperature", "-1"], "temperature must be 0 or more, got -1"),
        (["stream", "--prompt", "a", "--tokens", "0"], "n must be at least 1, got 0"),
        (["hidden", "--prompt", "a"], "the text has no [MASK]"),
        (["hidden", "--prompt", "[MASK]", "--seed", "1"], "a masked model draws nothing"),
        (["stream", "--data", "words.jsonl", "--field", "text"], "the field 'text' is missing"),
        (["stream", "--data", "words.jsonl", "--keep", "idd"], "did you mean 'id'"),
        (["stream", "--data", "customers.csv", "--keep", "id"], "is plain text, which has no fields"),
        (["stream", "--data", "none.txt"], "none.txt"),
        ([_damaged, "--data", "words.jsonl"], "is not the one that was trained"),
    ],
)
def test_what_a_language_model_cannot_do_is_one_message(
    here: Path, capsys: pytest.CaptureFixture[str], options: list[Any], told: str
) -> None:
    words = [option if isinstance(option, str) else option(here) for option in options]
    assert main(["predict", *words]) == 2
    message = capsys.readouterr().err.strip()
    assert told in message
    assert "\n" not in message


def test_a_model_of_rows_is_given_no_prompt(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    modelfolders.trained(here, "classes")
    assert main(["predict", "classes", "--prompt", "a"]) == 2
    assert "is no language model" in capsys.readouterr().err


@pytest.mark.parametrize("name", TEXTS)
def test_the_heads_of_attention_are_told_on_any_text(here: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert main(["explain", name, "--json", "--prompt", "the cat sat on the mat"]) == 0
    found = json.loads(capsys.readouterr().out)
    model = hpo.load(name)
    assert {head["layer"] for head in found["heads"]} == set(range(1, model.knobs["depth"] + 1))
    for head in found["heads"]:
        weights = head["weights"]
        assert len(weights) == len(found["tokens"])
        assert head["spread"] >= 1 - 1e-6
        causal = all(weight == 0 for at, row in enumerate(weights) for weight in row[at + 1 :])
        assert causal != model.masked
    Path("three.jsonl").write_text("".join(json.dumps({"body": text}) + "\n" for text in modelfolders.words(3, seed=5)))
    assert main(["explain", name, "--data", "three.jsonl", "--output", f"{name}.html"]) == 0
    told = capsys.readouterr().out
    assert "layer 1 head 1 looks at" in told
    assert "All heads" in Path(f"{name}.html").read_text()
    assert main(["explain", name]) == 0  # its own test text
    for wrong, why in ((["--prompt", " "], "--prompt is empty"), (["--prompt", "a", "--data", "x"], "give one")):
        assert main(["explain", name, *wrong]) == 2
        assert why in capsys.readouterr().err
