"""From findings to root causes: deterministic, no model, no weights.

Findings are the nodes; mechanisms, declared by the checks, are the edges. An edge is active when both ends are
present and join. A root is a cause without an active parent; what an active edge reaches from it is its effect; a
cause behind a stage that is already blocked is latent. The same findings in any order give the same diagnosis.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from doctor.chain import Chain
from doctor.log_summary import LogIssue, LogSignal
from doctor.model import (
    CheckResult,
    Confidence,
    Diagnosis,
    Evidence,
    EvidenceKind,
    Explained,
    Finding,
    Mechanism,
    Provenance,
    Role,
    Root,
    RuledOut,
    Severity,
    Signal,
    Status,
    Unexplained,
)
from doctor.witnesses import rules_out, witness_of

SUBSYSTEM_ORDER = (
    "PGS",
    "NAT",
    "WRK",
    "APP",
    "ENV",
    "INI",
    "TSK",
    "AUT",
    "AGT",
    "MOD",
    "EMB",
    "VEC",
    "LOG",
    "CHN",
    "DOC",
)
"""Within one stage, what must work first: storage, queue, worker, code, keys, agent row, model, vectors."""

RULE_LOW = "only a claim or a log line speaks for it"
RULE_CLAIMED = "its measurements show that it is possible; that it happened is only claimed"
RULE_MEDIUM = "the cause was measured, but none of its effects was observed"
RULE_WITNESSED = "the cause was measured, lines of a log witness its effect, and nothing refutes it"
RULE_OBSERVED = "the cause was measured, its effect is observed, and nothing refutes it"
RULE_HIDDEN = "the cause was measured; its effect is hidden behind a stage that is already blocked"
RULE_FOLLOWS = "the cause was measured, and its effect follows"
RULE_CONFIRMED = "the repair removed the cause and its effects went away in this run"
RULE_CONFIRMED_LATENT = "its own effect was hidden; once all causes were repaired, every effect in this run went away"


@dataclass(frozen=True, slots=True)
class _Edge:
    cause: str
    effect: str
    how: str
    by_stage_only: bool


def diagnose(results: Sequence[CheckResult], mechanisms: Iterable[Mechanism], chain: Chain | None) -> Diagnosis:
    """Put the findings of ``results`` in order.

    ``chain`` gives the order of the stages; without one, causes are ordered by subsystem alone.
    """
    graph = _Graph(results, tuple(mechanisms), chain)
    roots = graph.roots()
    explained = {effect.fingerprint for root in roots for effect in root.effects}
    rest = [finding for finding in graph.findings.values() if finding.fingerprint not in explained]
    return Diagnosis(
        roots=roots,
        contributing=tuple(finding.fingerprint for finding in rest if finding.role is Role.AMPLIFIER),
        left_over=tuple(finding.fingerprint for finding in rest if finding.role is Role.DAMAGE),
        unexplained=tuple(
            Unexplained(finding.fingerprint, graph.questions(finding))
            for finding in rest
            if finding.role is Role.SYMPTOM
        ),
        advice=tuple(finding.fingerprint for finding in rest if _is_advice(finding)),
        ruled_out=tuple(
            RuledOut(observation.rules_out, observation.text, result.code)
            for result in results
            for observation in result.observations
            if observation.rules_out
        ),
    )


def with_logs(
    diagnosis: Diagnosis,
    results: Sequence[CheckResult],
    issues: Sequence[LogIssue],
    progress: Sequence[LogSignal] = (),
) -> Diagnosis:
    """Add what logs tell: a line witnesses a cause that was measured, or leaves a question; it confirms nothing.

    A root whose effect nobody had observed is raised to *high* by a line that witnesses the effect. A cause that a line
    lets one suspect, and whose check finds nothing, is ruled out.
    """
    witnesses = tuple(witness_of(issue, results, issues) for issue in issues)
    told = {fingerprint for witness in witnesses for fingerprint in witness.explained_by}
    ruled_out = dict.fromkeys(one for issue in issues for one in rules_out(issue, results))
    return replace(
        diagnosis,
        roots=tuple(_witnessed(root) if told & set(root.findings) else root for root in diagnosis.roots),
        ruled_out=(*diagnosis.ruled_out, *ruled_out),
        witnesses=witnesses,
        signals=tuple(map(_signal, progress)),
    )


def _signal(one: LogSignal) -> Signal:
    return Signal(one.signature, one.title, one.occurrences.count, one.occurrences.first, one.occurrences.last)


def _witnessed(root: Root) -> Root:
    if root.confidence is not Confidence.MEDIUM or root.confidence_rule == RULE_CLAIMED:
        return root
    return replace(root, confidence=Confidence.HIGH, confidence_rule=RULE_WITNESSED)


def confirm(diagnosis: Diagnosis, before: Sequence[CheckResult], after: Sequence[CheckResult]) -> Diagnosis:
    """Raise to *confirmed* each root whose findings, and whose effects, are gone ``after`` the repair.

    A root without observed effects is confirmed only when every root was repaired: only then could its effect have
    shown.
    """
    present = {finding.fingerprint for result in after for finding in result.findings}
    asked = {result.code for result in after if result.status in (Status.PASS, Status.FAIL)}
    codes = {finding.fingerprint: finding.code for result in before for finding in result.findings}

    def gone(fingerprint: str) -> bool:
        return fingerprint not in present and codes[fingerprint] in asked

    all_repaired = all(gone(fingerprint) for root in diagnosis.roots for fingerprint in root.findings)
    effects = [effect.fingerprint for root in diagnosis.roots for effect in root.effects]
    all_effects_gone = bool(effects) and all(map(gone, effects))
    roots = []
    for root in diagnosis.roots:
        evidence = (*root.findings, *(effect.fingerprint for effect in root.effects))
        if all(map(gone, evidence)) and (root.effects or (all_repaired and all_effects_gone)):
            rule = RULE_CONFIRMED if root.effects else RULE_CONFIRMED_LATENT
            root = replace(root, confidence=Confidence.CONFIRMED, confidence_rule=rule)
        roots.append(root)
    return replace(diagnosis, roots=tuple(roots))


def _is_advice(finding: Finding) -> bool:
    return finding.role is Role.ADVICE or (finding.role is Role.CAUSE and finding.severity is Severity.INFO)


class _Graph:
    """The findings of one run and the active edges between them."""

    def __init__(self, results: Sequence[CheckResult], mechanisms: tuple[Mechanism, ...], chain: Chain | None) -> None:
        self.results: Mapping[str, CheckResult] = {result.code: result for result in results}
        self.mechanisms = mechanisms
        self.chain = chain
        found = [self._placed(finding) for result in results for finding in result.findings]
        self.findings = {finding.fingerprint: finding for finding in sorted(found, key=self._order)}
        self.amplifiers = [each for each in self.findings.values() if each.role is Role.AMPLIFIER]
        by_code: defaultdict[str, list[Finding]] = defaultdict(list)
        for finding in self.findings.values():
            by_code[finding.code].append(finding)
        self.edges: defaultdict[str, list[_Edge]] = defaultdict(list)
        for mechanism in mechanisms:
            for edge in self._active(mechanism, by_code[mechanism.cause], by_code[mechanism.effect]):
                self.edges[edge.cause].append(edge)

    def _placed(self, finding: Finding) -> Finding:
        if finding.stage is not None or self.chain is None or finding.resource.kind != "task":
            return finding
        stage = self.chain.stage_of_task(finding.resource.id)
        return finding if stage is None else replace(finding, stage=stage.name)

    def _order(self, finding: Finding) -> tuple[int, int, str, str, str, str]:
        family = finding.code[:3]
        subsystem = SUBSYSTEM_ORDER.index(family) if family in SUBSYSTEM_ORDER else len(SUBSYSTEM_ORDER)
        if self.chain is None:
            position = -finding.severity.rank  # nothing says what comes first, so the gravest does
        else:
            position = self.chain.position(finding.stage)
            if finding.stage is None and family in ("PGS", "NAT", "WRK", "APP"):
                position = -1  # without these no stage runs at all
        return position, subsystem, finding.code, finding.resource.key, finding.subject, finding.fingerprint

    def _active(self, mechanism: Mechanism, causes: list[Finding], effects: list[Finding]) -> Iterator[_Edge]:
        keys = [(effect, _keys(effect, mechanism.join)) for effect in effects] if causes else []
        for cause in causes:
            own = _keys(cause, mechanism.join)
            for effect, joining in keys:
                if cause is effect:
                    continue
                by_resource = not own.isdisjoint(joining)
                if by_resource or ("stage" in mechanism.join and self._precedes(cause, effect)):
                    yield _Edge(cause.fingerprint, effect.fingerprint, mechanism.how, not by_resource)

    def _precedes(self, cause: Finding, effect: Finding) -> bool:
        if self.chain is None or cause.stage is None or effect.stage is None:
            return False
        return self.chain.position(cause.stage) <= self.chain.position(effect.stage)

    def roots(self) -> tuple[Root, ...]:
        """Return the roots in chain order, each with its effects and what contributed."""
        groups: dict[tuple[str, str], list[Finding]] = defaultdict(list)
        for finding in self._first_causes():
            groups[finding.code, finding.group].append(finding)
        roots: list[Root] = []
        claimed: set[str] = set()
        for members in groups.values():
            effects = self._effects(members, claimed)
            claimed |= {effect.fingerprint for effect in effects}
            roots.append(self._root(members, effects, roots))
        return tuple(roots)

    def _first_causes(self) -> list[Finding]:
        """Return the causes without an active parent; of causes that lead to one another, the first."""
        causes = {key: each for key, each in self.findings.items() if each.role is Role.CAUSE and not _is_advice(each)}
        first = set(causes) - {edge.effect for key in causes for edge in self.edges[key]}
        reached = self._reached(first)
        while left := next((key for key in causes if key not in reached), None):
            first.add(left)
            reached |= self._reached([left])
        return [each for key, each in causes.items() if key in first]

    def _reached(self, origins: Iterable[str]) -> set[str]:
        reached = new = set(origins)
        while new := {edge.effect for key in new for edge in self.edges[key]} - reached:
            reached |= new
        return reached

    def _effects(self, members: Sequence[Finding], claimed: set[str]) -> tuple[Explained, ...]:
        """Follow active edges; what joins by stage alone belongs to the first root that reaches it."""
        reached = {finding.fingerprint for finding in members}
        effects: dict[str, Explained] = {}
        frontier = [finding.fingerprint for finding in members]
        while frontier:
            origin = frontier.pop(0)
            for edge in self.edges[origin]:
                if edge.effect in reached or (edge.by_stage_only and edge.effect in claimed):
                    continue
                reached.add(edge.effect)
                frontier.append(edge.effect)
                effects[edge.effect] = Explained(edge.effect, edge.how)
        if not effects:
            return ()
        return tuple(effects[fingerprint] for fingerprint in self.findings if fingerprint in effects)

    def _root(self, members: Sequence[Finding], effects: tuple[Explained, ...], earlier: Sequence[Root]) -> Root:
        stages = tuple(dict.fromkeys(finding.stage for finding in members if finding.stage is not None))
        blocker = next((number for number in range(len(earlier), 0, -1) if earlier[number - 1].stages), None)
        latent = blocker if stages and not effects else None
        confidence, rule = _confidence(members, bool(effects), latent is not None)
        return Root(
            code=members[0].code,
            findings=tuple(finding.fingerprint for finding in members),
            stages=stages,
            confidence=confidence,
            confidence_rule=rule,
            latent_behind=latent,
            effects=effects,
            contributing=self._contributing(members),
        )

    def _contributing(self, members: Sequence[Finding]) -> tuple[Explained, ...]:
        tasks = set[str]().union(*(_keys(finding, ("task",)) for finding in members))
        return tuple(
            Explained(finding.fingerprint, finding.cause)
            for finding in self.amplifiers
            if not tasks.isdisjoint(_keys(finding, ("task",)))
        )

    def questions(self, symptom: Finding) -> tuple[str, ...]:
        """Return what would have to be known to explain a symptom that no present cause explains."""
        questions = []
        for mechanism in self.mechanisms:
            result = self.results.get(mechanism.cause)
            if mechanism.effect != symptom.code or result is None or result.status is Status.PASS:
                continue
            if result.status in (Status.SKIP, Status.UNKNOWN):
                questions.append(f"{mechanism.cause} {result.name} could not be answered: {result.reason}")
        return tuple(questions) or (
            "Every known cause was checked and is absent; the logs of this stage are the next place.",
        )


def _keys(finding: Finding, kinds: Iterable[str]) -> set[str]:
    wanted = set(kinds)
    return {resource.key for resource in (finding.resource, *finding.related) if resource.kind in wanted}


def _is_measurement(evidence: Evidence) -> bool:
    return evidence.provenance is Provenance.MEASURED and evidence.kind is not EvidenceKind.LOG


def _is_testimony(evidence: Evidence) -> bool:
    """Tell whether a row only says that it happened: its words are its writer's, and are no state that was measured."""
    return evidence.provenance is Provenance.CLAIMED and evidence.kind is EvidenceKind.SQL


def _confidence(members: Sequence[Finding], observed: bool, hidden: bool) -> tuple[Confidence, str]:
    measured = all(any(map(_is_measurement, finding.evidence)) for finding in members)
    rule = next((finding.rule for finding in members if finding.rule), "")
    if not measured:
        return Confidence.LOW, RULE_LOW
    if any(_is_testimony(evidence) for finding in members for evidence in finding.evidence):
        return Confidence.MEDIUM, RULE_CLAIMED
    if observed:
        return Confidence.HIGH, RULE_OBSERVED
    if hidden:
        return Confidence.HIGH, RULE_HIDDEN
    if rule:
        return Confidence.HIGH, f"{RULE_FOLLOWS}: {rule}"
    return Confidence.MEDIUM, RULE_MEDIUM
