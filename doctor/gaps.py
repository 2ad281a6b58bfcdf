"""Judges many things one by one, so that one that cannot be judged is a gap and costs the others nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from doctor.check import CouldNotTellError
from doctor.embedding_texts import UnknownTextError
from doctor.resources.database import DatabaseError, DatabaseUnreachable
from doctor.wording import counted


class Gaps:
    """What a check could not tell, of which of the things that it looks at, and why."""

    def __init__(self, done: str, noun: str, plural: str = "") -> None:
        """Name what is ``done`` with each thing, and the thing itself: ``Gaps("counted", "column")``."""
        self._done = done
        self._noun, self._plural = noun, plural
        self._found: list[str] = []

    def add(self, what: str, reason: object) -> None:
        """Note that one thing could not be judged."""
        self._found.append(f"{what}: {reason}")

    @contextmanager
    def around(self, what: str) -> Iterator[None]:
        """Go on after the block when a question about one thing fails.

        Raises:
            DatabaseUnreachable: no other would be answered either.
        """
        try:
            yield
        except DatabaseUnreachable:
            raise
        except (DatabaseError, CouldNotTellError, UnknownTextError) as error:
            self.add(what, error)

    def tell(self) -> None:
        """Say at the end what is missing; nothing where nothing is.

        Raises:
            CouldNotTellError: there are gaps.
        """
        if self._found:
            number = counted(len(self._found), self._noun, self._plural)
            raise CouldNotTellError(f"{number} not {self._done}: {'; '.join(self._found)}")
