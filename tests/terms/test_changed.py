"""The log of changed trials: its readers learn of every change, whenever each of them looks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hpo.search.terms.changed import Log, Reader

changes = st.lists(st.one_of(st.integers(0, 9), st.sampled_from(["look", "other looks", "restart"])), max_size=60)


@given(changes, st.integers(1, 8))
def test_a_reader_learns_of_every_change_at_its_next_look(happened: list[int | str], kept: int) -> None:
    log, trials = Log(kept), list(range(10))
    reader: Reader[int] = Reader(lambda trial: False)
    other: Reader[int] = Reader(lambda trial: False)
    reader.news(trials, log)
    due: set[int] | None = set()
    for what in [*happened, "look"]:
        if what == "look":
            numbers, afresh = reader.news(trials, log)
            assert list(numbers) == sorted(numbers)
            assert (list(numbers) == trials) if afresh else set(numbers) == due
            assert afresh or due is not None
            due = set()
        elif what == "other looks":
            other.news(trials, log)
        elif what == "restart":
            log.restart()
            due = None
        else:
            log.add(int(what))
            if due is not None:
                due.add(int(what))


@given(st.lists(st.integers(0, 5)), st.integers(1, 3))
def test_a_log_holds_no_more_than_twice_what_it_keeps(added: list[int], kept: int) -> None:
    log = Log(kept)
    for number in added:
        log.add(number)
        assert len(log._numbers) < 2 * kept
    assert log.end <= len(added)


@given(st.lists(st.booleans(), max_size=12), st.data())
def test_trials_without_a_log_are_read_until_they_have_ended(ended: list[bool], data: st.DataObject) -> None:
    trials = [False] * len(ended)
    reader: Reader[bool] = Reader(bool)
    assert list(reader.news(trials, None, trials)[0]) == list(range(len(trials)))
    trials[:] = ended
    assert list(reader.news(trials, None, trials)[0]) == list(range(len(trials)))
    trials.append(True)
    numbers, afresh = reader.news(trials, None, trials)
    assert list(numbers) == [*(i for i, end in enumerate(ended) if not end), len(ended)]
    assert not afresh
    assert reader.news([], None, [])[1], "of another study everything is read"
