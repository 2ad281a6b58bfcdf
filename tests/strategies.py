"""Hypothesis strategies for every type of the model, so that properties hold for runs that nobody would write down."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone

from hypothesis import strategies as st

from doctor.model import (
    Applicability,
    CheckResult,
    Confidence,
    Diagnosis,
    Endpoint,
    Evidence,
    EvidenceKind,
    Explained,
    Finding,
    FixOption,
    Metric,
    Observation,
    Provenance,
    Repair,
    RepairStatus,
    Resource,
    Role,
    Root,
    RuledOut,
    Run,
    Severity,
    StageResult,
    Status,
    Suppression,
    Target,
    Unexplained,
    Verification,
    Witness,
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
codes = st.from_regex(r"[A-Z]{3}[0-9]{3}", fullmatch=True)
fingerprints = st.from_regex(r"[0-9a-f]{12}", fullmatch=True)
seconds = st.floats(min_value=0, max_value=1e6)
offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(timezones=st.one_of(st.just(UTC), offsets))

data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
"""Plain JSON."""


def several(of: st.SearchStrategy, most: int = 2) -> st.SearchStrategy:
    """Return short tuples."""
    return st.lists(of, max_size=most).map(tuple)


def maybe(of: st.SearchStrategy) -> st.SearchStrategy:
    """Return the value or None."""
    return st.none() | of


resources = st.builds(Resource, texts, texts, maybe(texts), maybe(st.integers(1)), maybe(st.integers(1)))
evidence = st.builds(Evidence, st.sampled_from(EvidenceKind), texts, texts, st.sampled_from(Provenance))
options = st.builds(
    FixOption,
    texts,
    texts,
    st.sampled_from(Applicability),
    texts,
    st.dictionaries(texts, data, max_size=2),
    st.booleans(),
    texts,
    texts,
)
metrics = st.builds(Metric, st.from_regex(r"[a-z]+(_[a-z]+)*", fullmatch=True), st.floats(0, 1e9), texts)
findings = st.builds(
    Finding,
    code=codes,
    resource=resources,
    symptom=texts,
    cause=texts,
    severity=st.sampled_from(Severity),
    role=st.sampled_from(Role),
    stage=maybe(texts),
    subject=texts,
    group=texts,
    impacts=several(texts),
    evidence=several(evidence),
    related=several(resources),
    rule=texts,
    fixes=several(options),
    validation=texts,
    metric=maybe(metrics),
)
results = st.builds(
    CheckResult,
    code=codes,
    name=texts,
    area=texts,
    status=st.sampled_from(Status),
    findings=several(findings),
    observations=several(st.builds(Observation, texts, texts, several(metrics))),
    reason=texts,
    blocked_by=maybe(codes),
    duration=seconds,
)
explained = st.builds(Explained, fingerprints, texts)
roots = st.builds(
    Root,
    codes,
    several(fingerprints),
    several(texts),
    st.sampled_from(Confidence),
    texts,
    maybe(st.integers(1, 9)),
    several(explained),
    several(explained),
)
diagnoses = st.builds(
    Diagnosis,
    several(roots),
    several(fingerprints),
    several(fingerprints),
    several(st.builds(Unexplained, fingerprints, several(texts))),
    several(fingerprints),
    several(st.builds(RuledOut, texts, texts, codes)),
    several(
        st.builds(
            Witness,
            *(texts, texts, st.sampled_from(Severity), st.integers(0)),
            *(texts, texts, texts, texts, several(fingerprints), several(texts)),
        )
    ),
)
repairs = st.builds(
    Repair,
    texts,
    codes,
    fingerprints,
    texts,
    st.sampled_from(Applicability),
    st.sampled_from(RepairStatus),
    texts,
    texts,
    several(texts),
    seconds,
)
stage_results = st.builds(StageResult, texts, st.integers(0), st.integers(0), st.booleans(), seconds, texts)
verifications = st.builds(
    Verification,
    texts,
    st.integers(0, 100),
    several(stage_results),
    st.booleans(),
    maybe(texts),
    texts,
    st.booleans(),
    maybe(moments),
)
targets = st.builds(
    Target,
    texts,
    texts,
    several(st.builds(Endpoint, texts, texts, texts)),
    several(texts),
    texts,
    texts,
    st.dictionaries(texts, st.just("doctor.toml:7"), max_size=2),
)
runs = st.builds(
    Run,
    id=texts,
    version=texts,
    started_at=moments,
    duration=seconds,
    target=targets,
    before=several(results),
    diagnosis=diagnoses,
    repairs=several(repairs),
    after=maybe(several(results)),
    verification=maybe(verifications),
    versions=st.dictionaries(texts, texts, max_size=2),
    configuration_fingerprint=texts,
    fail_on=st.sampled_from([*Severity, "never"]).map(str),
    suppressions=several(st.builds(Suppression, finding=findings, origin=texts, reason=texts, until=maybe(st.dates()))),
    narrowed=st.booleans(),
)
"""Runs of any content; their fingerprints need not belong to findings."""
