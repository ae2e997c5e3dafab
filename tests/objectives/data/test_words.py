"""Free text in tables: recognised, made numbers of by the training rows alone, the same bits out of a saved model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hpo.objectives import data, models, sklearn
from hpo.objectives.data import Words
from hpo.objectives.data.preparation import Preparation
from hpo.objectives.data.prepare import preprocessor

GOOD, BAD = ("lovely", "kind", "bright"), ("grim", "cold", "sour")


@pytest.fixture
def reviews(tmp_path: Path) -> dict[str, object]:
    """A table whose text tells the class, with some cells empty and a number beside."""
    rng = np.random.default_rng(0)
    lines = ["text,stars,y"]
    for row in range(120):
        words = rng.choice(GOOD if row % 2 else BAD, 3).tolist() + [f"w{rng.integers(50)}" for _ in range(4)]
        lines.append(f"{'' if row % 29 == 0 else ' '.join(words)},{rng.integers(5)},{'good' if row % 2 else 'bad'}")
    path = tmp_path / "reviews.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {"table": {"path": str(path), "target": "y"}}


def test_texts_of_several_words_are_read_as_such_with_a_note_that_says_how_to_leave_them_out(
    reviews: dict[str, object],
) -> None:
    found = data.load(reviews)
    assert {column.name: column.kind for column in found.columns} == {"text": "text", "stars": "number"}
    assert any("drop: [text]" in note for note in found.notes)


@pytest.mark.parametrize("words", [Words(), Words("tfidf", "character", 3, 50), Words("hashing", "word", 2, 32)])
def test_a_preparation_read_back_gives_the_bits_of_training(reviews: dict[str, object], words: Words) -> None:
    found = data.load(reviews)
    fitted = preprocessor(found, words).fit(found.train.X)
    made = Preparation.of(fitted, found.columns, found.features, words)
    again = Preparation.from_plain(json.loads(json.dumps(made.plain())))
    np.testing.assert_array_equal(again.transform(found.test.X), fitted.transform(found.test.X))
    assert len(again.sources) == again.transform(found.test.X).shape[1]


def test_a_vocabulary_knows_nothing_of_rows_that_are_held_out(reviews: dict[str, object]) -> None:
    found = data.load(reviews)
    fitted = preprocessor(found, Words()).fit(found.train.X)
    (texts,) = Preparation.of(fitted, found.columns, found.features, Words()).texts
    seen = set(" ".join(found.train.X["text"]).split())
    assert set(texts.vocabulary) <= seen


def test_an_estimator_learns_from_texts_and_says_the_same_out_of_its_folder(
    reviews: dict[str, object], tmp_path: Path
) -> None:
    run = sklearn.train(estimator="LogisticRegression", data=reviews, folds=2, text_ngrams=2, text_features=100)
    while True:
        try:
            point = next(run)
        except StopIteration as end:
            fitted = end.value
            break
    assert point["val_accuracy"] > 0.85
    fitted.save(tmp_path)
    model = models.opened(tmp_path, None)
    held_out = fitted.dataset.test.X
    np.testing.assert_array_equal(model.probabilities(held_out), fitted.predicted("test").values)
    assert model.predict(held_out.assign(text=["lovely kind bright day"] * len(held_out))).tolist() == ["good"] * len(
        held_out
    )
