"""What a known line of a log tells: a signature, the hypotheses that it raises, and the check that decides each.

A line of a log never proves a cause. It raises a hypothesis, or it witnesses an effect; a check measures.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from doctor.model import Severity


class SignatureKind(StrEnum):
    """What a line is good for."""

    PROBLEM = "problem"
    PROGRESS = "progress"
    """A positive signal: something worked. Silence is none."""
    NOISE = "noise"
    """Known and harmless: counted apart, never an issue."""


class InvalidSignatureError(Exception):
    """A signature contradicts itself; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One possible cause. ``check`` is the code of the check that would decide it; empty where only a person can."""

    statement: str
    check: str = ""


@dataclass(frozen=True, slots=True)
class KnownSignature:
    """A line that is known. ``hint`` is a text without digits that stands in every line that ``pattern`` finds.

    Named groups of the pattern are resources; ``kinds`` says of which kind (``{"agent": "agent"}``), and ``resources``
    are those that every such line speaks of, as ``kind:id``. ``leads_to`` are the names of the signatures that follow
    from this one. ``hypotheses`` stand in the order in which they are to be looked into. ``examples`` are lines as they
    were written.
    """

    name: str
    title: str
    hint: str
    pattern: str
    examples: tuple[str, ...]
    kind: SignatureKind = SignatureKind.PROBLEM
    severity: Severity = Severity.ERROR
    area: str = "logs"
    hypotheses: tuple[Hypothesis, ...] = ()
    leads_to: tuple[str, ...] = ()
    kinds: Mapping[str, str] = field(default_factory=dict)
    resources: tuple[str, ...] = ()
    note: str = ""

    def compiled(self) -> re.Pattern[str]:
        """Return the pattern, ready to search.

        Raises:
            InvalidSignatureError: hint, pattern, groups and examples contradict one another.
        """
        try:
            compiled = re.compile(self.pattern)
        except re.error as error:
            raise InvalidSignatureError(f"{self.name}: the pattern is not usable: {error}") from error
        if unknown := set(compiled.groupindex) ^ set(self.kinds):
            raise InvalidSignatureError(f"{self.name}: {min(unknown)!r} must be a group of the pattern and have a kind")
        if not self.hint or any(map(str.isdigit, self.hint)):
            raise InvalidSignatureError(f"{self.name}: the hint must be a text without digits")
        for example in self.examples:
            if self.hint not in example or compiled.search(example) is None:
                raise InvalidSignatureError(f"{self.name}: hint and pattern must find its example {example!r}")
        return compiled
