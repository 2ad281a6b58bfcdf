"""The verdicts on what the corpus shows: a table in docs/precision.md, compared with what is found."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.corpus.sources import ROOT
from tests.corpus.survey import Hit

DOCUMENT = ROOT / "docs" / "precision.md"
WORDS = frozenset({"true", "debatable", "false"})

_TABLE = re.compile(r"(?<=<!-- verdicts -->\n).*?(?=<!-- end -->)", re.DOTALL)
_ROW = re.compile(r"\| (\S+) (\S+) \| (\S+) \| `([^`]+):(\d+)` \| (\w+) \| (.+) \|")


class VerdictError(Exception):
    """The table of verdicts cannot be read; the message names the row."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a careful reader says of one finding, and why."""

    package: str
    version: str
    code: str
    path: str
    line: int
    word: str
    reason: str

    @property
    def place(self) -> tuple[str, str, str, str, int]:
        """What identifies the finding: package, version, code, path and line."""
        return (self.package, self.version, self.code, self.path, self.line)


def verdicts(document: str) -> tuple[Verdict, ...]:
    """Return the verdicts of a document.

    Raises:
        VerdictError: when there is no table, or a row of it has another form.
    """
    table = _TABLE.search(document)
    if table is None:
        raise VerdictError("there is no table of verdicts between `<!-- verdicts -->` and `<!-- end -->`")
    return tuple(_verdict(row) for row in table.group().strip().splitlines()[2:])


def _verdict(row: str) -> Verdict:
    found = _ROW.fullmatch(row)
    if found is None or found.group(6) not in WORDS:
        raise VerdictError(f"no verdict: {row!r}; write | name version | code | `path:line` | verdict | reason |")
    name, version, code, path, line, word, reason = found.groups()
    return Verdict(name, version, code, path, int(line), word, reason)


def disagreements(hits: Iterable[Hit], known: Iterable[Verdict]) -> Iterator[str]:
    """Yield a sentence for each finding without a verdict, each verdict without a finding, and each false one."""
    verdict_of = {verdict.place: verdict for verdict in known}
    found = {(hit.package, hit.version, hit.code, hit.path, hit.line): hit for hit in hits}
    for place, hit in found.items():
        where = f"{hit.package} {hit.version} {hit.code} {hit.path}:{hit.line}"
        if place not in verdict_of:
            yield f"no verdict: {where} ({hit.severity}) {hit.symptom}"
        elif verdict_of[place].word == "false":
            yield f"false, so the rule is to be mended: {where}"
    for place, verdict in verdict_of.items():
        if place not in found:
            where = f"{verdict.package} {verdict.version} {verdict.code} {verdict.path}:{verdict.line}"
            yield f"no longer found: {where} ({verdict.word})"
