"""Each root cause by itself: where it is, how it works, what speaks for it and against it, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from doctor.api import Evidence, EvidenceKind, FixOption
from doctor.reports.rca.document import (
    Block,
    Code,
    Fold,
    Item,
    Items,
    Paragraph,
    Section,
    Subsection,
    Table,
    joined,
)
from doctor.reports.rca.incident import Cause, Incident, place


def section(incident: Incident) -> Section | None:
    """Return one part per root cause; nothing where there is none."""
    if not incident.causes:
        return None
    parts = (
        Subsection(cause.title, tuple(_parts(cause, incident)), f"cause-{cause.number}") for cause in incident.causes
    )
    return Section("Root causes", tuple(parts))


def _parts(cause: Cause, incident: Incident) -> Iterator[Block]:
    yield Items(tuple(_located(cause)))
    yield Table(("", ""), tuple(_properties(cause)))
    yield Paragraph("Mechanism", strong=True)
    yield Items.of(*_mechanism(cause), ordered=True)
    yield Fold("Evidence for it", tuple(_evidence(cause)))
    yield Fold("Evidence against it", (Items.of(*_against(cause, incident)),))
    if cause.options:
        yield Paragraph("What could be done", strong=True)
        yield Items(tuple(map(option_item, cause.options)))


def _located(cause: Cause) -> Iterator[Item]:
    for finding in cause.findings:
        lines = (
            f"Problem: {finding.symptom}",
            f"Cause: {finding.cause}",
            *(f"Impact: {impact}" for impact in finding.impacts),
        )
        yield Item(f"Location: {place(finding)}", (Items.of(*lines),))


def _properties(cause: Cause) -> Iterator[tuple[str, str]]:
    yield "severity", str(cause.first.severity)
    yield "confidence", f"{cause.confidence}: {cause.root.confidence_rule}"
    if cause.root.stages:
        yield "blocks", ", ".join(cause.root.stages)
    if cause.root.latent_behind:
        yield "latent behind", f"root cause {cause.root.latent_behind}"
    affected = joined((f"{one.kind} `{one.id}`" for finding in cause.findings for one in finding.related), ", ")
    if affected:
        yield "affected", affected


def _mechanism(cause: Cause) -> Iterator[str]:
    yield joined(finding.cause for finding in cause.findings)
    for rule in dict.fromkeys(finding.rule for finding in cause.findings if finding.rule):
        yield f"the rule behind it: {rule}"
    for effect in cause.effects:
        yield f"{effect.how}: {effect.finding.symptom} ({effect.finding.code})"
    for effect in cause.contributing:
        yield f"nobody was told: {effect.finding.symptom} ({effect.finding.code})"
    if not cause.effects:
        behind = cause.root.latent_behind
        why = (
            f"root cause {behind} stops the chain before it" if behind else "no check looks for one, or none was there"
        )
        yield f"no effect of its own was observed: {why}"


def _evidence(cause: Cause) -> Iterator[Block]:
    for is_code, group in groupby(cause.evidence, lambda one: one.kind is EvidenceKind.CODE):
        facts = list(group)
        yield Items(tuple(_snippets(facts) if is_code else map(_fact, facts)))
    if cause.witnesses:
        yield Items.of(
            *(
                f"log, {witness.place}: `{witness.signature}` {witness.count:,} ×; a line witnesses, it proves nothing"
                for witness in cause.witnesses
            )
        )


def _snippets(facts: list[Evidence]) -> Iterator[Item]:
    """Put lines of one file together, in the order of their numbers; the file that was named first stands first."""
    files: dict[str, list[Evidence]] = {}
    for fact in facts:
        files.setdefault(_position(fact)[0], []).append(fact)
    for found in files.values():
        lines = sorted(found, key=_position)
        width = max(len(str(_position(one)[1])) for one in lines)
        text = "\n".join(f"{_position(one)[1] or '':>{width}}  {one.text}" for one in lines)
        provenance = ", ".join(dict.fromkeys(str(one.provenance) for one in lines))
        yield Item(f"code, {lines[0].source} ({provenance})", (Code(text),))


def _position(fact: Evidence) -> tuple[str, int]:
    path, _, line = fact.source.rpartition(":")
    return (path, int(line)) if path and line.isdecimal() else (fact.source, 0)


def _fact(fact: Evidence) -> Item:
    return Item(f"{fact.kind}, {fact.source} ({fact.provenance})", (Code(fact.text),))


def _against(cause: Cause, incident: Incident) -> Iterator[str]:
    rivals = [one for one in incident.run.diagnosis.ruled_out if one.check == cause.root.code]
    yield "nothing that was measured speaks against it"
    for rival in rivals:
        yield f"a rival explanation was tried and refuted: {rival.hypothesis} ({rival.evidence})"
    if not cause.effects:
        yield "its own effect was not observed, so only its state speaks for it"
    if not cause.witnesses:
        yield "no line of a log witnesses it" if incident.run.diagnosis.witnesses else "no log was read to witness it"


def option_item(option: FixOption) -> Item:
    """Return a repair that could be made: who may make it, why, at what price."""
    mark = ", recommended" if option.recommended else ""
    price = f"; {option.tradeoff}" if option.tradeoff else ""
    code = (Code(option.code, "python"),) if option.code else ()
    return Item(f"{option.title} ({option.applicability}{mark}): {option.reason}{price}", code)
