"""Studies in an Optuna journal: a text file to which operations are appended.

Other programs may append to the same file at the same time, plain Optuna included; their operations are replayed
under the lock before each write, because the ids of new trials follow from them.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optuna.distributions import distribution_to_json
from optuna.study import StudyDirection
from optuna.trial import TrialState

from hpo.search.store.backend import Backend, Sink
from hpo.search.store.changes import Changes, Snapshot, TrialChanges
from hpo.search.store.journalfile import JournalFile
from hpo.search.store.lease import Lease, holder
from hpo.search.store.location import real_path
from hpo.search.store.replay import Op, Replay
from hpo.search.store.whole import changes_of, check_absent, check_same
from hpo.search.terms.errors import StoreError

if TYPE_CHECKING:
    from optuna.storages import BaseStorage


class Journal(Backend):
    """A journal file; made on the first ``open``."""

    def __init__(self, path: Path, display: str) -> None:
        self.display = display
        self._given = path

    def _path(self, *, write: bool = False) -> Path:
        return real_path(self._given, self.display, write=write)

    def names(self) -> list[str]:
        """Names of all studies."""
        return [study.name for study in self._replay(None).studies.values()]

    def read(self, name: str) -> Snapshot | None:
        """Read a study, running or not."""
        return self._replay(name).snapshot()

    def open(self, name: str, directions: tuple[str, ...]) -> Sink:
        """Become the only writer of a study."""
        return JournalSink(self._path(write=True), self.display, name, directions)

    @contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """Keep other processes from running a study."""
        with closing(Lease(self._path(write=True), name)):
            yield

    def add(self, studies: Sequence[Snapshot], before: Callable[[], None]) -> None:
        """Append whole studies as one unit."""
        path = self._path(write=True)
        with ExitStack() as held:
            sinks = [
                held.enter_context(closing(JournalSink(path, self.display, study.name, study.directions)))
                for study in studies
            ]
            for sink, study in zip(sinks, studies, strict=True):
                check_absent(study.name, sink.snapshot, self.display)
            before()
            sinks[0].add(studies)

    def running(self, name: str) -> str | None:
        """Say who runs a study."""
        return holder(self._path(), name)

    def delete(self, name: str) -> None:
        """Delete an existing study."""
        sink = JournalSink(self._path(write=True), self.display, name, ())
        try:
            sink.delete()
        finally:
            sink.close()

    def storage(self) -> BaseStorage:
        """Open the file as a plain Optuna storage, repaired if a crash has torn its end."""
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        path = self._path(write=True)
        file = JournalFile(path, self.display, write=True)
        try:
            if file.torn():
                with file.locked():
                    file.repair()
        finally:
            file.close()
        return JournalStorage(JournalFileBackend(str(path)))

    def _replay(self, keep: str | None) -> Replay:
        replay = Replay(self.display, keep)
        try:
            file = JournalFile(self._path(), self.display, write=False)
        except FileNotFoundError:
            return replay
        try:
            replay.feed(file.read())
        finally:
            file.close()
        return replay


class JournalSink(Sink):
    """One study in a journal."""

    def __init__(self, path: Path, display: str, name: str, directions: tuple[str, ...]) -> None:
        self._display = display
        self._name = name
        self._worker = str(uuid.uuid4())
        self._closed = False
        self._lease = Lease(path, name)
        try:
            self._file = JournalFile(path, display, write=True)
            try:
                with self._file.locked():
                    self._file.repair()
                self._replay = Replay(display, name)
                self._replay.feed(self._file.read())
                self.snapshot = self._replay.snapshot()
            except BaseException:
                self._file.close()
                raise
        except BaseException:
            self._lease.close()
            raise
        self._directions = directions if self.snapshot is None else self.snapshot.directions
        self._study = self._replay.find(name)
        self._trials = len(self._ids())

    def write(self, changes: Changes) -> None:
        """Append all changes as one unit."""
        with self._file.locked():
            self._append(lambda: self._encode(changes))
        self._study = self._replay.find(self._name)
        self._trials = len(self._ids())

    def add(self, studies: Sequence[Snapshot]) -> None:
        """Append whole studies as one unit, which is cut off again where it does not read back as it should."""
        made = [(study, changes_of(study)) for study in studies]

        def encode() -> Iterator[dict[str, Any]]:
            for place, (study, changes) in enumerate(made):
                check_absent(study.name, self._replay.find(study.name), self._display)
                yield from self._making(study.name, study.directions)
                yield from self._contents(self._replay.next_study + place, [], changes)

        with self._file.locked():
            begin = self._append(encode)
            try:
                self._file.sync()
                for study in studies:
                    replay = Replay(self._display, study.name)
                    replay.feed(self._file.read())
                    check_same(study, replay.snapshot(), self._display)
            except BaseException:
                self._file.cut(begin)
                raise

    def delete(self) -> None:
        """Delete the study, if it exists."""
        with self._file.locked():
            self._append(self._deletion)

    def sync(self) -> None:
        """Bring everything written to the disk."""
        self._file.sync()

    def close(self) -> None:
        """Release the file and the study."""
        if not self._closed:
            self._closed = True
            self._file.close()
            self._lease.close()

    def _ids(self) -> list[int]:
        return [] if self._study is None else self._replay.studies[self._study].ids

    def _catch_up(self) -> None:
        """Replay what others appended; notice their trials in this study: to go on would number two alike."""
        self._file.repair()
        self._replay.feed(self._file.read(self._replay.offset))
        if self._replay.find(self._name) != self._study:
            raise StoreError(f"{self._display}: study {self._name!r} was deleted or replaced while it was running")
        if len(self._ids()) != self._trials:
            raise StoreError(
                f"{self._display}: another program added trials to study {self._name!r} while it was running;"
                " run it again to go on with them"
            )

    def _append(self, encode: Callable[[], Iterable[dict[str, Any]]]) -> int:
        """Append operations whose ids follow from everything that stands before them; returns where they begin."""
        while True:
            self._catch_up()
            ops = list(encode())
            size = self._file.append(ops, self._replay.offset) if ops else 0
            if size is not None:
                break
        begin = self._replay.offset
        self._replay.apply(ops)
        self._replay.offset += size
        return begin

    def _deletion(self) -> Iterator[dict[str, Any]]:
        if self._study is not None:
            yield self._op(Op.DELETE_STUDY, study_id=self._study)

    def _encode(self, changes: Changes) -> Iterator[dict[str, Any]]:
        study, ids = self._study, self._ids()
        if study is None or changes.whole:
            if study is not None:
                yield self._op(Op.DELETE_STUDY, study_id=study)
            study, ids = self._replay.next_study, []
            yield from self._making(self._name, self._directions)
        yield from self._contents(study, ids, changes)

    def _making(self, name: str, directions: Sequence[str]) -> Iterator[dict[str, Any]]:
        ways = [StudyDirection[direction.upper()] for direction in directions]
        yield self._op(Op.CREATE_STUDY, study_name=name, directions=ways)

    def _contents(self, study: int, ids: Sequence[int], changes: Changes) -> Iterator[dict[str, Any]]:
        for key, text in changes.user_attrs.items():
            yield self._op(Op.STUDY_USER_ATTR, study_id=study, user_attr={key: json.loads(text)})
        for key, text in changes.system_attrs.items():
            yield self._op(Op.STUDY_SYSTEM_ATTR, study_id=study, system_attr={key: json.loads(text)})
        for number, trial in sorted(changes.trials.items()):
            if trial.created:
                yield self._creation(study, trial)
            else:
                yield from self._update(ids[number], trial)

    def _creation(self, study: int, trial: TrialChanges) -> dict[str, Any]:
        several = trial.values is not None and len(trial.values) > 1
        op = self._op(
            Op.CREATE_TRIAL,
            study_id=study,
            datetime_start=_utc(trial.start),
            state=trial.state,
            value=trial.values[0] if trial.values and not several else None,
            values=trial.values if several else None,
            distributions={name: distribution_to_json(d) for name, (_, d) in trial.params.items()},
            params={name: value for name, (value, _) in trial.params.items()},
            user_attrs={key: json.loads(text) for key, text in trial.user_attrs.items()},
            system_attrs={key: json.loads(text) for key, text in trial.system_attrs.items()},
            intermediate_values=trial.points,
        )
        if trial.complete is not None:
            op["datetime_complete"] = _utc(trial.complete)
        return op

    def _update(self, id: int, trial: TrialChanges) -> Iterator[dict[str, Any]]:
        if trial.start is not None:
            start = _utc(trial.start)
            yield self._op(Op.TRIAL_STATE, trial_id=id, state=TrialState.RUNNING, values=None, datetime_start=start)
        for name, (value, d) in trial.params.items():
            text = distribution_to_json(d)
            yield self._op(Op.TRIAL_PARAM, trial_id=id, param_name=name, param_value_internal=value, distribution=text)
        for step, point in trial.points.items():
            yield self._op(Op.TRIAL_POINT, trial_id=id, step=step, intermediate_value=point)
        for key, text in trial.user_attrs.items():
            yield self._op(Op.TRIAL_USER_ATTR, trial_id=id, user_attr={key: json.loads(text)})
        for key, text in trial.system_attrs.items():
            yield self._op(Op.TRIAL_SYSTEM_ATTR, trial_id=id, system_attr={key: json.loads(text)})
        if trial.state is not None and trial.state != TrialState.RUNNING:  # last: a finished trial takes no changes
            op = self._op(Op.TRIAL_STATE, trial_id=id, state=trial.state, values=trial.values)
            if trial.complete is not None:
                op["datetime_complete"] = _utc(trial.complete)
            yield op

    def _op(self, code: Op, **fields: Any) -> dict[str, Any]:
        return {"op_code": code, "worker_id": self._worker, **fields}


def _utc(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="microseconds")
