"""Settings and fixtures for all tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import settings

from hpo.search.errors import StudyFileError
from hpo.search.study import Study
from hpo.search.studyfile.reader import read

# A busy machine is no failure: what takes how long is measured under benchmarks/.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")


@pytest.fixture
def study(tmp_path: Path) -> Callable[..., Study]:
    """Reads the text of a study file."""

    def of(text: str, overrides: Sequence[tuple[str, str]] = ()) -> Study:
        (tmp_path / "s.yaml").write_text(text)
        return read(tmp_path / "s.yaml", overrides)

    return of


@pytest.fixture
def mistakes(tmp_path: Path) -> Callable[..., list[str]]:
    """``line:column message | hint`` of each mistake in the text of a study file; a flag's begins with the flag."""

    def of(text: str | bytes, overrides: Sequence[tuple[str, str]] = ()) -> list[str]:
        (tmp_path / "s.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(StudyFileError) as caught:
            read(tmp_path / "s.yaml", overrides)
        shown = []
        for mistake in caught.value.mistakes:
            flag = f"{mistake.source}:" if mistake.source.startswith("--") else ""
            hint = f" | {mistake.hint}" if mistake.hint else ""
            shown.append(f"{flag}{mistake.line}:{mistake.column} {mistake.message}{hint}")
        return shown

    return of
