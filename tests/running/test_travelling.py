"""A checkpoint that is carried to another folder is what was kept, and the newest that the record allows."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.search.running import travelling
from hpo.search.running.checkpoints import Checkpoints


@given(steps=st.sets(st.integers(1, 12), min_size=1), done=st.integers(0, 15))
@settings(max_examples=20)
def test_a_carried_checkpoint_is_restored_as_the_one_that_was_kept(
    tmp_path_factory: object, steps: set[int], done: int
) -> None:
    here, there = (tmp_path_factory.mktemp(name) for name in ("here", "there"))  # type: ignore[attr-defined]
    kept = Checkpoints(here)
    live = Path(kept.restore(0))
    for step in sorted(steps):
        (live / "deep").mkdir(exist_ok=True)
        (live / "deep" / "state").write_text(str(step))
        kept._next = 0.0  # without the rest between two
        kept.keep(step)
    newest = travelling.newest(str(here), done)
    assert newest == max((step for step in steps if step <= done), default=0)
    if newest:
        travelling.Arrivals(str(there)).lay(newest, travelling.pack(str(here), newest))
    found = Path(Checkpoints(there).restore(done), "deep", "state")
    assert (found.read_text() if newest else found.exists()) == (str(newest) if newest else False)
