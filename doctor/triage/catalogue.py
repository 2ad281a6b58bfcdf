"""Looks for known signatures in messages: by a literal first, which is remembered for the masked message."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from doctor.known_signature import InvalidSignatureError, KnownSignature


@dataclass(frozen=True, slots=True)
class Known:
    """A signature and its pattern."""

    signature: KnownSignature
    pattern: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Recognised:
    """A signature in a message, with the resources (``kind:id``) that it names."""

    signature: KnownSignature
    resources: tuple[str, ...]


class Catalogue:
    """The known signatures. ``problems`` are sentences about those that cannot be used."""

    def __init__(self, signatures: Iterable[KnownSignature] = ()) -> None:
        self.known: list[Known] = []
        self.problems: list[str] = []
        for signature in sorted(signatures, key=lambda one: one.name):
            try:
                self.known.append(Known(signature, signature.compiled()))
            except InvalidSignatureError as error:
                self.problems.append(f"signature {error}")
        self._hints = [(known.signature.hint, known) for known in self.known]

    def candidates(self, text: str) -> tuple[Known, ...]:
        """Return the signatures whose hint stands in a text, masked or not."""
        return tuple(known for hint, known in self._hints if hint in text)

    def recognised(self, text: str, candidates: Iterable[Known]) -> list[Recognised]:
        """Return those of the candidates that a text has."""
        found = []
        for known in candidates:
            match = known.pattern.search(text)
            if match is not None:
                named = (f"{known.signature.kinds[name]}:{value}" for name, value in match.groupdict().items() if value)
                found.append(Recognised(known.signature, (*known.signature.resources, *named)))
        return found

    def wakes(self, line: str) -> bool:
        """Tell whether a line without a header has a known signature."""
        return bool(self.recognised(line, self.candidates(line)))
