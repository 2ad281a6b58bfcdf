"""Takes secrets and terminal sequences out of findings: names of rows, tables and tasks are text from outside too."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from doctor.model import Evidence, Finding, Metric, Observation, Resource
from doctor.redaction import bounded, redact

T = TypeVar("T", Finding, Observation)

TEXT_LIMIT = 2_000
"""Characters of one text of a finding; a log line or an error of the target may be of any length."""


def clean(item: T) -> T:
    """Return the finding or observation with every shown text redacted and bounded; fix arguments stay as they are."""
    if isinstance(item, Observation):
        metrics = tuple(map(_metric, item.metrics))
        return replace(item, text=_text(item.text), rules_out=_text(item.rules_out), metrics=metrics)
    return replace(
        item,
        resource=_resource(item.resource),
        symptom=_text(item.symptom),
        cause=_text(item.cause),
        impacts=tuple(map(_text, item.impacts)),
        evidence=tuple(_evidence(evidence) for evidence in item.evidence),
        related=tuple(_resource(resource) for resource in item.related),
        fixes=tuple(replace(o, title=_text(o.title), reason=_text(o.reason), code=_text(o.code)) for o in item.fixes),
        metric=None if item.metric is None else _metric(item.metric),
    )


def _text(text: str) -> str:
    return bounded(redact(text), TEXT_LIMIT)


def _resource(resource: Resource) -> Resource:
    return replace(resource, id=_text(resource.id), path=None if resource.path is None else _text(resource.path))


def _evidence(evidence: Evidence) -> Evidence:
    return replace(evidence, source=_text(evidence.source), text=_text(evidence.text))


def _metric(metric: Metric) -> Metric:
    return replace(metric, of=_text(metric.of))
