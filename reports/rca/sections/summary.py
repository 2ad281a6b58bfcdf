"""What happened, in a few sentences for somebody who was not there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from doctor.api import Applicability, counted
from doctor.reports.rca.document import Fact, Item, Items, Paragraph, Section, joined
from doctor.reports.rca.incident import Cause, Incident


def section(incident: Incident) -> Section:
    """Return what was seen, why, what was done about it and whether that is proved."""
    causes = incident.causes
    many = Paragraph(_how_many(incident) if causes else "No root cause was found.")
    named = Items(tuple(Item(_named(cause)) for cause in causes), ordered=True)
    after = tuple(map(Paragraph, _afterwards(incident)))
    facts = (
        Fact("root causes", len(causes), "the diagnosis"),
        *(
            Fact(f"repairs {status}", number, "the repairs of the run")
            for status, number in _by_status(incident).items()
        ),
        Fact("files modified", len(files(incident)), "the repairs of the run"),
    )
    return Section("Summary", (*_chain(incident), *_seen(incident), many, *((named,) if causes else ()), *after), facts)


def _chain(incident: Incident) -> tuple[Paragraph, ...]:
    stages = " → ".join(f"`{stage}`" for stage in incident.run.target.stages)
    return (Paragraph(f"A message goes through {stages}; each stage feeds the next."),) if stages else ()


def _seen(incident: Incident) -> tuple[Paragraph, ...]:
    seen = [finding.symptom for finding in incident.effects]
    seen += [incident.finding(one.fingerprint).symptom for one in incident.run.diagnosis.unexplained]
    return (Paragraph(f"What was seen: {joined(seen)}."),) if seen else ()


def _how_many(incident: Incident) -> str:
    many = counted(len(incident.causes), "root cause")
    order = "in chain order" if incident.run.target.stages else "the gravest first"
    if incident.are_independent:
        alone = "they are independent: no mechanism leads from one to another, and each alone stops the chain"
        return f"{many}, {order}; {alone}."
    return f"{many}{f', {order}' if len(incident.causes) > 1 else ''}."


def _named(cause: Cause) -> str:
    behind = cause.root.latent_behind
    latent = f" (latent: hidden behind root cause {behind})" if behind else ""
    return f"{cause.root.code} {cause.name}: {cause.first.symptom}{latent}"


def _afterwards(incident: Incident) -> Iterator[str]:
    run = incident.run
    for finding in incident.left_over:
        yield f"Left over, and no cause of the stall: {finding.symptom}."
    if run.repairs:
        became = ", ".join(f"{number} {status}" for status, number in _by_status(incident).items())
        touched = f" {counted(len(files(incident)), 'source file')} changed." if files(incident) else ""
        yield f"Repairs: {became}.{touched} What each did stands under Fixes."
    else:
        more = " `doctor fix --diff` shows what doctor would change." if _is_repairable(incident) else ""
        yield f"Nothing was changed in this run: it only looked.{more}"
    verification = run.verification
    if verification is not None:
        sent = counted(verification.canaries, "message")
        end = "went through every stage" if verification.passed else f"stopped at `{verification.stopped_at}`"
        yield f"Proof: {sent}, sent through the real entrance, {end}."


def _by_status(incident: Incident) -> dict[str, int]:
    return dict(Counter(str(repair.status) for repair in incident.run.repairs))


def _is_repairable(incident: Incident) -> bool:
    """Whether doctor itself could do something about a cause, or about what was left over."""
    found = [*(finding for cause in incident.causes for finding in cause.findings), *incident.left_over]
    options = [finding.recommended_fix for finding in found]
    return any(one is not None and one.applicability is not Applicability.MANUAL for one in options)


def files(incident: Incident) -> list[str]:
    """Return the source files that repairs have changed."""
    return sorted({place for repair in incident.written for place in repair.touched if place.endswith(".py")})
