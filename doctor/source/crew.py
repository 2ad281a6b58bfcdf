"""One reader, or two in two processes, that share the files of a request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from doctor.source.facts import Unparsable
from doctor.source.glance import Place
from doctor.source.partner import Partner, PartnerDiedError
from doctor.source.reader import FileFacts, Need, Reader, Seen

T = TypeVar("T")

WORTH_SHARING = 1_000_000
"""Bytes below which a request is answered by one process; an exchange costs a millisecond."""


class Crew:
    """Does what a :class:`Reader` does. ``sizes`` are the bytes of each file, by which the work is divided."""

    def __init__(self, reader: Reader, sizes: Mapping[str, int], *, processes: int = 1) -> None:
        self.reader = reader
        self._sizes = sizes
        self._wanted = processes > 1
        self._partner: Partner | None = None

    def glance(self, paths: Sequence[str]) -> dict[str, Seen | Unparsable]:
        """See :meth:`Reader.glance`."""
        return dict(_merged(self._shared(paths, "glance", self.reader.glance)))

    def facts(self, needs: Mapping[str, Need]) -> dict[str, FileFacts]:
        """See :meth:`Reader.facts`."""

        def some(paths: Sequence[str]) -> dict[str, FileFacts]:
            return self.reader.facts({path: needs[path] for path in paths})

        return dict(_merged(self._shared(list(needs), "facts", some, lambda paths: {p: needs[p] for p in paths})))

    def using(self, paths: Sequence[str], functions: Sequence[tuple[bytes, Place]]) -> set[str]:
        """See :meth:`Reader.using`."""

        def some(paths: Sequence[str]) -> list[str]:
            return self.reader.using(paths, functions)

        return {path for found in self._shared(paths, "using", some, lambda p: (p, functions)) for path in found}

    def close(self) -> None:
        """End the second process, if there is one."""
        self.reader.newer.close()
        if self._partner is not None:
            self._partner.close()
            self._partner = None

    def _shared(
        self,
        paths: Sequence[str],
        method: str,
        work: Callable[[Sequence[str]], T],
        arguments: Callable[[Sequence[str]], Any] = lambda paths: paths,
    ) -> list[T]:
        """Have both processes work on a part of the files each; a partner that dies leaves its part to this one."""
        if not self._wanted or sum(self._sizes[path] for path in paths) < WORTH_SHARING:
            return [work(paths)]
        mine, theirs = self._divided(paths)
        try:
            partner = self._partner or self._start()
            partner.ask((method, arguments(theirs)))
        except (PartnerDiedError, OSError):
            self._dismiss()
            return [work(paths)]
        done = work(mine)
        try:
            return [done, partner.answer()]
        except PartnerDiedError:
            self._dismiss()
            return [done, work(theirs)]

    def _divided(self, paths: Iterable[str]) -> tuple[list[str], list[str]]:
        parts: tuple[list[str], list[str]] = ([], [])
        weights = [0, 0]
        for path in sorted(paths, key=lambda path: (-self._sizes[path], path)):
            lighter = int(weights[1] < weights[0])
            parts[lighter].append(path)
            weights[lighter] += self._sizes[path]
        return parts

    def _start(self) -> Partner:
        self._partner = Partner(self._serve)
        return self._partner

    def _dismiss(self) -> None:
        self._wanted = False
        if self._partner is not None:
            self._partner.close()
            self._partner = None

    def _serve(self, question: tuple[str, Any]) -> Any:
        method, argument = question
        if method == "using":
            return self.reader.using(*argument)
        return self.reader.glance(argument) if method == "glance" else self.reader.facts(argument)


def _merged(parts: Iterable[dict[str, T]]) -> dict[str, T]:
    return {path: value for part in parts for path, value in part.items()}
