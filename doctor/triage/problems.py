"""What could not be read, or only in part: every such thing is counted and told, never dropped in silence."""

from __future__ import annotations

from doctor.wording import counted

LIMIT = 50
"""Sentences that are kept; of more only the number is."""


class Problems:
    """Collects sentences about inputs that are not what they should be."""

    def __init__(self) -> None:
        self._sentences: dict[str, None] = {}
        self._more = 0
        self.unread = 0
        """Inputs of which nothing could be read."""

    def add(self, sentence: str, *, unread: bool = False) -> None:
        """Keep one sentence; the same one counts once."""
        self.unread += unread
        if sentence in self._sentences:
            return
        if len(self._sentences) < LIMIT:
            self._sentences[sentence] = None
        else:
            self._more += 1

    def sentences(self) -> tuple[str, ...]:
        """Return them, sorted: the order of the inputs does not matter."""
        more = (f"and {counted(self._more, 'more problem')}",) if self._more else ()
        return (*sorted(self._sentences), *more)
