"""Free text as numbers: which words or characters follow one another, counted and weighed.

``tfidf`` learns the commonest n-grams of the training rows and weighs each count, its logarithm plus 1, by how few rows
have it (Salton and Buckley 1988, as scikit-learn's TfidfVectorizer); ``hashing`` needs no vocabulary, as it counts
n-grams into a fixed number of cells by a hash (Weinberger et al. 2009). Rows have length 1 either way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from hpo.search.terms.knobs import AT_LEAST_1

if TYPE_CHECKING:
    from numpy.typing import NDArray

Method = Literal["tfidf", "hashing"]
Unit = Literal["word", "character"]

LONGEST = 10
"""Units of an n-gram at most."""


@dataclass(frozen=True)
class Words:
    """How texts become numbers: knobs of the objectives that train on rows.

    Attributes:
        text_method: ``tfidf`` or ``hashing``.
        text_unit: what n-grams are of: words, or characters within words.
        text_ngrams: units of the longest n-gram; those of fewer units count too. [1: single words]
        text_features: n-grams of the vocabulary, the commonest, or cells of the hash.
    """

    text_method: Method = "tfidf"
    text_unit: Unit = "word"
    text_ngrams: Annotated[int, AT_LEAST_1] = 1
    text_features: Annotated[int, AT_LEAST_1] = 2000

    def vectorizer(self) -> Any:
        """Unfitted scikit-learn transformer of texts [rows] to a sparse matrix [rows, features]."""
        from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer

        how = {
            "analyzer": "word" if self.text_unit == "word" else "char_wb",
            "ngram_range": (1, min(self.text_ngrams, LONGEST)),
        }
        if self.text_method == "hashing":
            return HashingVectorizer(n_features=self.text_features, alternate_sign=False, **how)
        return TfidfVectorizer(max_features=self.text_features, sublinear_tf=True, **how)


@dataclass(frozen=True)
class TextEncoding:
    """A fitted ``Words`` of one column as plain data.

    Attributes:
        name: of the column.
        words: how its texts become numbers.
        vocabulary: n-gram of each feature; empty under ``hashing``.
        weights: of each of them, by how few training rows have it; empty under ``hashing``.
    """

    name: str
    words: Words
    vocabulary: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()

    @classmethod
    def of(cls, name: str, words: Words, fitted: Any) -> TextEncoding:
        """Read a fitted vectorizer."""
        if words.text_method == "hashing":
            return cls(name, words)
        return cls(name, words, tuple(map(str, fitted.get_feature_names_out())), tuple(map(float, fitted.idf_)))

    @property
    def width(self) -> int:
        """Features that it makes."""
        return len(self.vocabulary) if self.words.text_method == "tfidf" else self.words.text_features

    @property
    def contradictory(self) -> bool:
        """Whether weights are not one for each n-gram."""
        return len(self.vocabulary) != len(self.weights) or (self.words.text_method == "tfidf") != bool(self.weights)

    def transform(self, texts: Sequence[str]) -> NDArray[Any]:
        """Features [rows, width] of texts, the very bits that the fitted vectorizer gave."""
        import numpy as np

        if not len(texts):
            return np.zeros((0, self.width))
        made = self.words.vectorizer()
        if self.words.text_method == "tfidf":
            made.set_params(vocabulary={gram: place for place, gram in enumerate(self.vocabulary)})
            made.idf_ = np.asarray(self.weights)
        found: NDArray[Any] = made.transform(texts).toarray()
        return found

    @classmethod
    def from_plain(cls, plain: Any) -> TextEncoding:
        """Read what ``dataclasses.asdict`` wrote, JSON in between; raises what wrong data make of it."""
        words = Words(**plain["words"])
        grams, weights = tuple(map(str, plain["vocabulary"])), tuple(map(float, plain["weights"]))
        return cls(str(plain["name"]), words, grams, weights)
