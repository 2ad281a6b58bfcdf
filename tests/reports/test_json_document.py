"""The JSON document keeps to its schema, whatever happened, and holds what programs ask for."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator

import doctor.reports
from doctor.diagnosis import diagnose
from doctor.model import CheckResult, RepairStatus, Run, Severity, Status, Suppression, SuppressionKind, Witness
from doctor.report import Presentation
from doctor.reports.json_document import REPORT, document
from doctor.verdict import exit_code
from tests.example_runs import (
    CHAIN,
    MECHANISMS,
    healthy,
    repair,
    repaired_run,
    run_of,
    stalled,
    three_in_series,
    vectors_left_over,
)
from tests.strategies import runs

SCHEMA = json.loads(Path(doctor.reports.__file__).with_name("json_document.schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)


def rendered(run: Run) -> dict[str, Any]:
    text = REPORT.render(run, Presentation())
    assert text.endswith("}\n")

    def refuse(name: str) -> float:
        raise AssertionError(f"{name} is no JSON")

    found: dict[str, Any] = json.loads(text, parse_constant=refuse)
    return found


def problems(value: dict[str, Any]) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(value)]


UNKNOWN = CheckResult("DOC001", "plugin-not-usable", "doctor", Status.UNKNOWN, reason="plugin x: ValueError: no")
SKIPPED = CheckResult("VEC001", "vector-index-missing", "embeddings", Status.SKIP, blocked_by="PGS001", reason="gone")

RUNS = {
    "three causes in series": run_of(three_in_series()),
    "repaired and proved": repaired_run(),
    "healthy": run_of(healthy()),
    "nothing at all": run_of(()),
    "nothing to check": run_of((SKIPPED,), chain=None),
    "a check that could not tell": run_of((*healthy(), UNKNOWN)),
    "a symptom without a cause": run_of(
        (CheckResult("CHN001", "chain-stalled", "chain", Status.FAIL, (stalled("scored"),)),)
    ),
    "every outcome of a repair": replace(
        repaired_run(), repairs=tuple(repair(stalled("scored"), status) for status in RepairStatus)
    ),
    "findings left out": run_of(
        healthy(),
        suppressions=(
            Suppression(stalled("scored"), "app.py:3", "known", date(2027, 1, 31)),
            Suppression(vectors_left_over(), "baseline.json", "known since then", kind=SuppressionKind.BASELINE),
        ),
    ),
    "lines of a log": replace(
        run_of(three_in_series()),
        diagnosis=replace(
            run_of(three_in_series()).diagnosis,
            witnesses=(
                Witness("x-failed", "it failed", Severity.ERROR, 3, "", "", "w.log:7", "x", ("0" * 12,), ("why?",)),
            ),
        ),
    ),
    "a proof that failed": replace(
        repaired_run(), verification=replace(repaired_run().verification, passed=False, stopped_at="scored")
    ),
}


def test_the_schema_is_itself_valid():
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_the_document_keeps_to_its_schema(run: Run):
    assert problems(rendered(run)) == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(runs)
def test_the_document_of_any_run_keeps_to_its_schema(run: Run):
    diagnosis = diagnose(run.before, MECHANISMS, CHAIN)
    assert problems(rendered(replace(run, diagnosis=diagnosis))) == []


def test_the_schema_describes_every_key():
    """A new key of the document must be described before it ships."""

    def strict(schema: Any) -> Any:
        if isinstance(schema, list):
            return [strict(item) for item in schema]
        if not isinstance(schema, dict):
            return schema
        changed = {key: strict(value) for key, value in schema.items()}
        if "properties" in changed and "required" in changed:
            changed["additionalProperties"] = False
        return changed

    validator = Draft202012Validator(strict(SCHEMA))
    for name, run in RUNS.items():
        assert [error.message for error in validator.iter_errors(rendered(run))] == [], name


def test_a_document_that_loses_a_key_breaks_the_schema():
    whole = rendered(repaired_run())
    for key in SCHEMA["required"]:
        assert problems({name: value for name, value in whole.items() if name != key}), key


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_what_is_counted_and_referred_to_is_there(run: Run):
    found = rendered(run)
    fingerprints = {finding["fingerprint"] for finding in found["findings"]}
    assert found["exit_code"] == int(exit_code(run))
    assert sum(found["summary"]["checks"].values()) == len(found["checks"]) == len(run.current)
    assert sum(found["summary"]["findings"].values()) == len(found["findings"])
    assert {each for check in found["checks"].values() for each in check["findings"]} == fingerprints


def test_every_fingerprint_of_the_diagnosis_leads_to_a_finding():
    """After the repairs too: who reads what was wrong must be able to look it up."""
    for run in (RUNS["three causes in series"], RUNS["repaired and proved"]):
        found = rendered(run)
        named = {*found["diagnosis"]["left_over"], *found["diagnosis"]["advice"], *found["diagnosis"]["contributing"]}
        for root in found["diagnosis"]["roots"]:
            named |= {*root["findings"], *(effect["fingerprint"] for effect in root["effects"])}
        known = [*found["findings"], *found.get("resolved", [])]
        assert named <= {finding["fingerprint"] for finding in known}


def test_a_program_finds_the_root_causes_in_chain_order():
    found = rendered(run_of(three_in_series()))
    assert found["status"] == "unhealthy"
    assert [root["code"] for root in found["diagnosis"]["roots"]] == ["TSK001", "AGT001", "MOD001"]
    assert found["checks"]["TSK001"]["status"] == "fail"
    assert found["summary"]["findings"] == {"info": 1, "warning": 1, "error": 6, "critical": 0}


def test_the_document_does_not_depend_on_how_it_is_shown():
    run = run_of(three_in_series())
    shown = Presentation(color=True, width=40, verbose=True, quiet=True)
    assert REPORT.render(run, shown) == REPORT.render(run, Presentation())
    assert REPORT.machine


def test_severities_are_counted_in_full():
    assert set(document(run_of(()))["summary"]["findings"]) == {str(severity) for severity in Severity}
