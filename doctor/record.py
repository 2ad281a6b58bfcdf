"""The run record: ``.doctor/runs/<id>/run.json`` in the target, one truth for every report.

Serialisation is lossless: ``loads(dumps(run)) == run``.

Errors:
    RecordError: there is no such run, or its file is not a run record.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import fields, is_dataclass, replace
from datetime import date, datetime
from enum import Enum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from doctor.model import Run
from doctor.redaction import bounded, redact

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")

SCHEMA_VERSION = "1"

RECENT = 50
"""Runs that are looked through for the one a report is about."""


class RecordError(Exception):
    """A run record is missing or unusable; the message says what to do."""


@cache
def _adapter() -> TypeAdapter[Run]:
    from pydantic import TypeAdapter  # reading needs it; writing, which every run does, would pay 200 ms for it

    return TypeAdapter(Run)


def dumps(run: Run) -> str:
    """Return the run as JSON text, indented, ending in a newline."""
    return _adapter().dump_json(run, indent=2).decode() + "\n"


def loads(text: str | bytes) -> Run:
    """Read a run from JSON text.

    Raises:
        RecordError: when the text is not a run record of this version.
    """
    from pydantic import ValidationError

    try:
        run = _adapter().validate_json(text)
    except ValidationError as error:
        raise RecordError(
            f"not a run record: {error.errors()[0]['msg']}; run `doctor check` to make a new one"
        ) from error
    if run.schema_version != SCHEMA_VERSION:
        raise RecordError(
            f"the record has schema version {bounded(run.schema_version, 20)}, this doctor reads {SCHEMA_VERSION}: "
            "use the newer doctor, or run `doctor check` to make a new one"
        )
    return run


def new_run_id(now: datetime, entropy: str) -> str:
    """Return an id that sorts by time, two of one second too: ``20261120T194517.042Z-3f9a``."""
    return f"{now:%Y%m%dT%H%M%S}.{now.microsecond // 1000:03d}Z-{entropy[:4]}"


class RunStore:
    """The runs of one target, under ``.doctor/runs``. The folder ignores itself in git."""

    def __init__(self, root: Path) -> None:
        self.folder = root / ".doctor" / "runs"

    def directory(self, run_id: str) -> Path:
        """Return the folder of a run, made on demand and readable by its owner alone."""
        path = self.folder / run_id
        self._prepare(path)
        return path

    def _prepare(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        ignore = self.folder.parent / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the target against a second repair; the lock ends with the process, however it ends.

        Raises:
            RecordError: when another process repairs or undoes here right now, or nothing can be recorded here.
        """
        try:
            self._prepare(self.folder)
            file = (self.folder / "lock").open("w")
        except OSError as error:
            what = f"{self.folder} cannot be written ({error.strerror})"
            raise RecordError(f"{what}, and without a record there is no way back: nothing was done") from error
        with file as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise RecordError("another `doctor fix` or `doctor undo` is at work here; wait for it") from error
            try:
                yield
            finally:
                fcntl.flock(lock, fcntl.LOCK_UN)  # a child that is just being forked has the file as well

    def save(self, run: Run) -> Path:
        """Write the record in one step, so that a reader never sees half of it. Every text is redacted once more."""
        path = self.directory(run.id) / "run.json"
        partial = path.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(redacted_json(run))
        partial.replace(path)
        return path

    def save_if_possible(self, run: Run) -> Path | None:
        """Save, or return None where the target's folder cannot be written: a read-only target can still be
        examined."""
        try:
            return self.save(run)
        except OSError:
            return None

    def load(self, run_id: str) -> Run:
        """Read one run.

        Raises:
            RecordError: when there is no such run or it cannot be read.
        """
        path = self.folder / run_id / "run.json"
        try:
            return loads(path.read_bytes())
        except OSError as error:
            known = ", ".join(self.ids()[-3:]) or "none yet; run `doctor check`"
            raise RecordError(f"no run {run_id!r} here; the latest are: {known}") from error

    def ids(self) -> list[str]:
        """Return the ids of all recorded runs, oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(path.parent.name for path in self.folder.glob("*/run.json"))

    def latest(self, preferred: Callable[[Run], bool] | None = None) -> Run | None:
        """Return the newest run, or None; with ``preferred`` the newest of that kind, if any.

        Raises:
            RecordError: the newest record cannot be read.
        """
        ids = self.ids()
        newest = self.load(ids[-1]) if ids else None
        if preferred is None or newest is None or preferred(newest):
            return newest
        for run_id in reversed(ids[-RECENT:-1]):
            with suppress(RecordError):
                if preferred(run := self.load(run_id)):
                    return run
        return newest


def tells_of_trouble(run: Run) -> bool:
    """Whether a run found a cause or repaired something: it is what a report and a proof are about."""
    return bool(run.diagnosis.roots or run.repairs)


def redacted_json(run: Run) -> str:
    """Return the record as it is stored: JSON, every text redacted once more."""
    return json.dumps(plain(redacted(run)), indent=2, ensure_ascii=False) + "\n"


def redacted(value: T) -> T:
    """Return a value of the model with every text in it redacted, the names of its keys too."""
    cleaned: Any = value
    if isinstance(value, Enum):
        return value
    if isinstance(value, str):
        cleaned = redact(value)
    elif is_dataclass(value) and not isinstance(value, type):
        cleaned = replace(value, **{field.name: redacted(getattr(value, field.name)) for field in fields(value)})
    elif isinstance(value, Mapping):
        cleaned = {redacted(key): redacted(item) for key, item in value.items()}
    elif isinstance(value, (list, tuple)):
        cleaned = type(value)(map(redacted, value))
    return cast("T", cleaned)


def plain(value: Any) -> Any:
    """Return a value of the model as JSON has it, the same as pydantic would."""
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value
