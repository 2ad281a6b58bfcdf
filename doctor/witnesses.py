"""What a known line of a log has to do with what the checks found.

The check that a hypothesis names decides it: what it finds explains the line, if both speak of the same thing, where
both name one; where it passes, the hypothesis is ruled out; where it could not be asked, the question stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from doctor.log_summary import LogHypothesis, LogIssue
from doctor.model import CheckResult, Finding, RuledOut, Status, Witness


def witness_of(issue: LogIssue, results: Sequence[CheckResult], issues: Sequence[LogIssue]) -> Witness:
    """Return what the lines of an issue witness; ``issues`` are all, for some are effects of others."""
    found = explaining(issue, results)
    above = [other for other in issues if other.signature in issue.caused_by]
    found += [one for other in above for one in explaining(other, results)]
    sample = next(iter(issue.occurrences.samples), None)
    return Witness(
        signature=issue.signature,
        title=issue.title,
        severity=issue.severity,
        count=issue.occurrences.count,
        first=issue.occurrences.first,
        last=issue.occurrences.last,
        place=f"{sample.source}:{sample.line}" if sample else "",
        text=sample.text if sample else "",
        explained_by=tuple(dict.fromkeys(finding.fingerprint for finding in found)),
        questions=_open(issue, results) if not found else (),
        endpoints=issue.endpoints,
    )


def explaining(issue: LogIssue, results: Sequence[CheckResult]) -> list[Finding]:
    """Return the findings of the checks that an issue names, as far as they do not speak of something else."""
    by_code = {result.code: result for result in results}
    named = _named(issue.resources)
    return [
        finding
        for hypothesis in issue.hypotheses
        if (result := by_code.get(hypothesis.check)) is not None
        for finding in result.findings
        if _is_of(finding, named)
    ]


def rules_out(issue: LogIssue, results: Sequence[CheckResult]) -> Iterator[RuledOut]:
    """Yield the causes that an issue lets one suspect and that a check refutes: as things are now, a log is older."""
    by_code = {result.code: result for result in results}
    for hypothesis in issue.hypotheses:
        result = by_code.get(hypothesis.check)
        if result is not None and result.status is Status.PASS:
            last = f", last at {issue.occurrences.last}" if issue.occurrences.last else ""
            evidence = f"{result.code} finds nothing now; the log has `{issue.signature}`{last}"
            yield RuledOut(hypothesis.statement, evidence, result.code)


def _open(issue: LogIssue, results: Sequence[CheckResult]) -> tuple[str, ...]:
    """Return what would have to be known; of an effect, only what it follows from."""
    if issue.caused_by:
        return tuple(f"it follows from `{name}`" for name in issue.caused_by)
    return tuple(_questions(issue, results))


def _questions(issue: LogIssue, results: Sequence[CheckResult]) -> Iterator[str]:
    """Yield the causes that nothing has decided."""
    by_code = {result.code: result for result in results}
    open_ones = [one for one in issue.hypotheses if not _is_refuted(one, by_code)]
    unasked = [one for one in open_ones if one.check and one.check not in by_code]
    if len(unasked) > 1:
        yield f"one of {len(unasked)} causes: doctor check --select {','.join(one.check for one in unasked)} would tell"
    elif unasked:
        yield f"{unasked[0].statement}: doctor check --select {unasked[0].check} would tell"
    for hypothesis in open_ones:
        result = by_code.get(hypothesis.check)
        if not hypothesis.check:
            yield f"{hypothesis.statement}: no check can tell"
        elif result is None:
            continue
        elif result.status is Status.FAIL:
            yield f"{hypothesis.statement}: {hypothesis.check} has found this of something else"
        else:
            yield f"{hypothesis.statement}: {hypothesis.check} could not be answered: {result.reason}"
    if not open_ones:
        yield "every cause that is known of it was checked and is absent now: it may be of the past"


def _is_refuted(hypothesis: LogHypothesis, results: Mapping[str, CheckResult]) -> bool:
    result = results.get(hypothesis.check)
    return result is not None and result.status is Status.PASS


def _named(resources: Iterable[str]) -> dict[str, set[str]]:
    """Return the names by kind, of keys such as ``agent:knowledge_extractor``."""
    found: dict[str, set[str]] = {}
    for key in resources:
        kind, _, name = key.partition(":")
        found.setdefault(kind, set()).add(name)
    return found


def _is_of(finding: Finding, named: Mapping[str, set[str]]) -> bool:
    """Tell whether a finding and a line can mean the same: of a kind that both name they must share one."""
    for kind, names in named.items():
        theirs = {resource.id for resource in (finding.resource, *finding.related) if resource.kind == kind}
        if theirs and not any(_is_same(name, other) for name in names for other in theirs):
            return False
    return True


def _is_same(name: str, identity: str) -> bool:
    """Tell whether a log's short name is that of an identity: ``scoring`` for ``app.tasks.scoring.score_task``."""
    return name == identity or name in identity.replace("/", ".").replace(":", ".").replace("_", ".").split(".")
