"""How causes and effects hang together: drawn, and the same in words."""

from __future__ import annotations

from collections.abc import Iterator

from doctor.api import Finding, Witness
from doctor.reports.rca.document import Edge, Graph, Item, Items, Node, NodeKind, Paragraph, Section, prose
from doctor.reports.rca.incident import Cause, Incident


def section(incident: Incident) -> Section | None:
    """Return the graph and its text; nothing where no cause was found."""
    if not incident.causes:
        return None
    nodes = {node.id: node for node in _nodes(incident)}
    edges = tuple(dict.fromkeys(_edges(incident)))
    words = tuple(Item(_called(cause), (Items.of(*lines),)) for cause in incident.causes if (lines := [*_told(cause)]))
    alone = [_called(cause) for cause in incident.causes if not [*_told(cause)]]
    rest = (Paragraph(f"Joined to nothing that was observed: {'; '.join(alone)}."),) if alone else ()
    listed = (Items(words),) if words else ()
    intro = Paragraph("An arrow leads from a cause to what follows from it; a dashed one to what it hides or silences.")
    return Section("How it hangs together", (intro, Graph(tuple(nodes.values()), edges), *listed, *rest))


def _nodes(incident: Incident) -> Iterator[Node]:
    for cause in incident.causes:
        yield Node(_root_id(cause), NodeKind.ROOT, cause.title, prose(cause.first.symptom))
        for effect in cause.effects:
            found = effect.finding
            yield Node(f"F{found.fingerprint}", NodeKind.EFFECT, _titled(found, incident), prose(found.symptom))
        for effect in cause.contributing:
            found = effect.finding
            yield Node(f"F{found.fingerprint}", NodeKind.AMPLIFIER, _titled(found, incident), prose(found.symptom))
        for number, witness in enumerate(cause.witnesses, 1):
            yield Node(_witness_id(cause, number), NodeKind.WITNESS, f"log: {witness.signature}", _heard(witness))
    for finding in incident.left_over:
        yield Node(f"F{finding.fingerprint}", NodeKind.LEFT_OVER, _titled(finding, incident), prose(finding.symptom))


def _titled(finding: Finding, incident: Incident) -> str:
    return f"{finding.code} {incident.name(finding.code)}".rstrip()


def _edges(incident: Incident) -> Iterator[Edge]:
    for cause in incident.causes:
        root = _root_id(cause)
        if cause.root.latent_behind:
            yield Edge(f"R{cause.root.latent_behind}", root, "hides", dashed=True)
        for effect in cause.effects:
            yield Edge(root, f"F{effect.finding.fingerprint}", prose(effect.how))
        for effect in cause.contributing:
            yield Edge(f"F{effect.finding.fingerprint}", root, "silences", dashed=True)
        for number, _ in enumerate(cause.witnesses, 1):
            yield Edge(_witness_id(cause, number), root, "witnesses", dashed=True)


def _called(cause: Cause) -> str:
    return f"root cause {cause.number}, {cause.root.code} {cause.name}"


def _told(cause: Cause) -> Iterator[str]:
    if cause.root.latent_behind:
        yield f"hidden behind root cause {cause.root.latent_behind}: it would have shown only after that repair"
    for effect in cause.effects:
        yield f"leads to {effect.finding.code}, {effect.finding.symptom}: {effect.how}"
    for effect in cause.contributing:
        yield f"made silent by {effect.finding.code}: {effect.finding.symptom}"
    for witness in cause.witnesses:
        yield f"witnessed by `{witness.signature}`, {_heard(witness)} in the log"


def _heard(witness: Witness) -> str:
    return "once" if witness.count == 1 else f"{witness.count:,} times"


def _root_id(cause: Cause) -> str:
    return f"R{cause.number}"


def _witness_id(cause: Cause, number: int) -> str:
    return f"W{cause.number}n{number}"
