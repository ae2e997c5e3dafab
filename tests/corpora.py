"""Small corpora for the tests of text and of what is trained on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hpo.objectives.text.corpus import Corpus, open_corpus

SENTENCES = [
    f"The {word} of chapter {i} was  naïve,\n\tsaid {word.upper()}." for i in range(40) for word in ("end", "日本")
]


def lines(texts: list[str] = SENTENCES, **options: Any) -> Corpus:
    """Each text is a document, in the working directory."""
    Path("rows.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return open_corpus({"text": {"path": "rows.jsonl", **options}}, 0)
