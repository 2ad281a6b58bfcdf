"""What kind of stream this is, by its first lines: which weak forms count, and whether bare lines are records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from doctor.triage.formats import FORMATS, FormatReader
from doctor.triage.tracebacks import TracebackScan

LOOKED_AT = 200
"""Lines at the beginning that decide."""

SHARE = 0.1
"""Part of the lines that must have a weak form, or none at all while they are no continuation."""

WEAK = frozenset(one.name for one in FORMATS if not one.strong)


@dataclass(frozen=True, slots=True)
class StreamKind:
    """``weak``: forms that count beside the strong ones. ``has_bare``: a line without a header is a record of its
    own, unless it belongs to a traceback or is indented."""

    weak: frozenset[str] = frozenset()
    has_bare: bool = False


def detected(lines: Sequence[str]) -> StreamKind:
    """Return what these first lines are."""
    reader = FormatReader(WEAK)
    scan = TracebackScan()
    votes: Counter[str] = Counter()
    for line in lines:
        found = reader.read(line)
        if found is not None:
            scan.end()
            votes[found[0]] += 1
        elif not scan.takes(line) and line.strip() and not line[:1].isspace():
            votes["bare"] += 1
    enough = max(1.0, SHARE * sum(votes.values()))
    weak = frozenset(name for name in WEAK if votes[name] >= enough)
    return StreamKind(weak, votes["bare"] >= enough)
