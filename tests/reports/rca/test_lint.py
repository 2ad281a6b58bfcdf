"""The lint of a report: what it objects to, and that no run makes a report to which it objects."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doctor.model import CheckResult, Evidence, EvidenceKind, Provenance, RepairStatus, Run, Signal, Status
from doctor.record import loads
from doctor.reports.rca.document import Document, Fact, Items, Mark, Paragraph, Section, Table, Tone
from doctor.reports.rca.incident import Incident
from doctor.reports.rca.lint import RECOUNTS, Objection, numbers_of, objections
from doctor.reports.rca.report import report_of
from doctor.reports.rca.sections import SECTIONS
from tests.documents import EXAMPLE, SEARCH
from tests.example_runs import (
    agent_inactive,
    healthy,
    model_missing,
    repair,
    repaired_run,
    result,
    run_of,
    three_in_series,
)
from tests.reports.hostile import whole_story


def saying(*sections: Section, verdict: str = "unhealthy") -> Document:
    return Document("a report", verdict, Tone.BAD, sections=sections)


def rules(document: Document, run: Run) -> list[tuple[str, str]]:
    return [(one.rule, one.section) for one in objections(document, run)]


# Provenance.


def test_a_number_that_stands_in_no_record_is_objected_to():
    document = saying(Section("Impact", (Paragraph("queries take 500 ms"),)))
    assert objections(document, repaired_run()) == (
        Objection("provenance", "Impact", "nothing says where 500 comes from: queries take 500 ms"),
    )


def test_a_number_of_the_record_passes_wherever_it_stands():
    block = Items.of("15 rows reached `scored`", "237 of 252 rows of messages")
    assert rules(saying(Section("Impact", (block,))), repaired_run()) == []


def test_a_number_that_the_report_counted_passes_in_its_own_section_alone():
    text = (Paragraph("4711 lines were compared"),)
    counted = Section("Appendix", text, (Fact("lines", 4711, "the texts of the report"),))
    assert rules(saying(counted, Section("Summary", text)), repaired_run()) == [("provenance", "Summary")]


def test_a_number_of_the_verdict_must_come_from_somewhere_too():
    assert rules(saying(verdict="4711 root causes"), repaired_run()) == [("provenance", "")]


def test_a_fact_without_a_source_is_no_provenance():
    section = Section("Summary", (Paragraph("4711 lines"),), (Fact("lines", 4711, ""),))
    assert rules(saying(section), repaired_run()) == [("provenance", "Summary")]


def test_a_large_number_may_be_written_with_commas():
    run = repaired_run()
    run = replace(run, verification=replace(run.verification, canaries=12345))
    assert {"12345", "12,345"} <= set(numbers_of(run))


# Estimates and claims.


def test_the_time_of_a_line_is_known_to_the_second_though_it_is_kept_to_the_millisecond():
    signal = Signal("threshold-reached", "reached", 1, "2026-11-25T16:07:18.456Z", "2026-11-25T16:07:19.5Z")
    run = repaired_run()
    run = replace(run, diagnosis=replace(run.diagnosis, signals=(signal,)))
    assert {"18", "18.456", "19"} <= set(numbers_of(run))


def claimed(text: str, provenance: Provenance = Provenance.CLAIMED) -> Run:
    evidence = (Evidence(EvidenceKind.CONFIG, "a note", text, provenance),)
    return run_of((result("AGT001", replace(agent_inactive(), symptom=text, evidence=evidence, impacts=())),))


@pytest.mark.parametrize("provenance", [Provenance.CLAIMED, Provenance.ESTIMATED])
def test_a_number_for_which_only_a_claim_or_an_estimate_speaks_must_say_so(provenance: Provenance):
    run = claimed("it takes 777 ms", provenance)
    plain = saying(Section("Impact", (Paragraph("it takes 777 ms"),)))
    assert rules(plain, run) == [("mark", "Impact")]
    assert rules(saying(Section("Impact", (Paragraph(f"it takes 777 ms ({provenance})"),))), run) == []


def test_the_report_of_a_claim_marks_it_everywhere():
    run = claimed("it takes 777 ms")
    assert objections(report_of(run), run) == ()


def test_a_number_that_was_measured_as_well_needs_no_mark():
    run = claimed("it takes 777 ms")
    (first,) = run.before
    (finding,) = first.findings
    measured = Evidence(EvidenceKind.SQL, "explain", "777 ms")
    both = replace(first, findings=(replace(finding, evidence=(*finding.evidence, measured)),))
    document = saying(Section("Impact", (Paragraph("it takes 777 ms"),)))
    assert rules(document, replace(run, before=(both,))) == []


# Contradictions.


def test_one_fact_with_two_values_is_a_contradiction():
    sections = (
        Section("Summary", (), (Fact("rows stuck", 15, "the database"),)),
        Section("Appendix", (), (Fact("rows stuck", 13, "the database"),)),
    )
    assert objections(saying(*sections), repaired_run()) == (
        Objection("contradiction", "Summary", "rows stuck: 15 in Summary, 13 in Appendix"),
    )


@pytest.mark.parametrize("key", RECOUNTS)
def test_a_fact_that_a_recount_does_not_give_is_a_contradiction(key: str):
    document = saying(Section("Summary", (), (Fact(key, 4711, "somebody's memory"),)))
    assert rules(document, repaired_run()) == [("contradiction", "Summary")]


def test_one_thing_that_is_well_here_and_not_there_is_a_contradiction():
    def told(title: str, mark: Mark) -> Section:
        return Section(title, (Table(("what", "state"), (("it", mark),)),))

    here = told("Fixes", Mark("verified", Tone.GOOD, "saved"))
    there = told("Success criteria", Mark("no", Tone.BAD, "saved"))
    assert ("contradiction", "Success criteria") in rules(saying(here, there), repaired_run())


# What is called done.


def test_a_fix_that_no_later_check_bears_out_may_not_be_called_done():
    found = model_missing()
    run = replace(repaired_run(), repairs=(repair(found, RepairStatus.RESTART_NEEDED),))
    document = saying(Section("Fixes", (Table(("", ""), (("fix", Mark("done", Tone.GOOD, found.fingerprint)),)),)))
    assert rules(document, run) == [("unverified", "Fixes")]


def test_a_fix_whose_finding_has_come_back_may_not_be_called_done():
    found = model_missing()
    run = replace(repaired_run(), after=three_in_series())
    document = saying(Section("Fixes", (Table(("", ""), (("fix", Mark("done", Tone.GOOD, found.fingerprint)),)),)))
    assert rules(document, run) == [("unverified", "Fixes")]


@pytest.mark.parametrize("word", ["repaired", "removed", "fixed", "resolved", "done"])
def test_a_verdict_may_not_call_a_cause_done_that_is_still_found(word: str):
    run = replace(repaired_run(), after=three_in_series())
    assert rules(saying(verdict=f"{word}: 3 root causes"), run) == [("unverified", "")]
    assert rules(saying(verdict=f"{word}: 3 root causes"), repaired_run()) == []


def test_a_verdict_may_not_call_proved_what_a_proof_from_before_the_repairs_says():
    run = repaired_run()
    noon, later = datetime(2026, 11, 20, 12, tzinfo=UTC), datetime(2026, 11, 20, 13, tzinfo=UTC)
    document = saying(verdict="proved end to end")
    for started, repaired, expected in ((noon, later, [("unverified", "")]), (later, noon, [])):
        changed = replace(
            run,
            verification=replace(run.verification, started_at=started),
            repairs=tuple(replace(one, started_at=repaired) for one in run.repairs),
        )
        assert rules(document, changed) == expected
    assert rules(document, replace(run, verification=None)) == [("unverified", "")]


# The report itself.


@pytest.mark.parametrize("record", [EXAMPLE, SEARCH], ids=["demo", "search"])
def test_the_report_of_a_real_run_passes(record):
    run = loads(record.read_bytes())
    assert objections(report_of(run), run) == ()


FAIL_ON = ("critical", "error", "warning", "info", "never")
AFTER = {"healthy": healthy(), "unchanged": three_in_series(), "never looked": None}


@pytest.mark.parametrize("after", AFTER)
@pytest.mark.parametrize("proved", [True, False, None], ids=["proved", "not proved", "not tried"])
def test_whatever_became_of_the_repairs_the_report_says_no_more_than_that(after: str, proved: bool | None):
    run = repaired_run()
    proof = None if proved is None else replace(run.verification, passed=proved, stopped_at=None if proved else "saved")
    if proof is not None and not proved:
        proof = replace(proof, stages=(replace(proof.stages[0], passed=False), *proof.stages[1:]))
    first, *others = run.repairs
    for status in RepairStatus:
        told = replace(
            run, repairs=(replace(first, status=status), *others[1:]), after=AFTER[after], verification=proof
        )
        assert objections(report_of(told), told) == (), status


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sets(st.sampled_from([each.code for each in three_in_series()])), st.booleans())
def test_whatever_was_found_the_report_passes(codes: set[str], offline: bool):
    run = run_of(
        tuple(each for each in three_in_series() if each.code in codes), **({"chain": None} if offline else {})
    )
    assert objections(report_of(run), run) == ()


MANY = tuple(result(f"XYZ{number:03}") for number in range(140))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(Status), min_size=9, max_size=9), st.integers(0, len(MANY)), st.sampled_from(FAIL_ON))
def test_whatever_could_not_be_asked_or_told_the_report_passes(statuses: list[Status], many: int, fail_on: str):
    def answered(one: CheckResult, status: Status) -> CheckResult:
        return replace(one, status=status, findings=one.findings if status is Status.FAIL else (), reason="because")

    told = tuple(answered(one, status) for one, status in zip(three_in_series(), statuses, strict=False))
    skipped = tuple(replace(one, status=statuses[0]) for one in MANY[:many])
    for after in (None, (*told[1:], *skipped)):
        run = replace(run_of((*told, *skipped), fail_on=fail_on), after=after)
        assert objections(report_of(run), run) == ()


def test_a_run_with_every_part_passes():
    run = whole_story()
    assert objections(report_of(run), run) == ()


def test_a_report_without_an_objection_says_that_it_was_read():
    document = report_of(repaired_run())
    assert document.sections[-1].blocks[-1].text.startswith("This report was read against the run record")
    assert "Objections" not in [section.title for section in document.sections]


def test_objections_stand_above_all(monkeypatch: pytest.MonkeyPatch):
    def invented(_incident: Incident) -> Section:
        return Section("Impact", (Paragraph("4711 people called"),))

    monkeypatch.setattr("doctor.reports.rca.report.SECTIONS", (*SECTIONS, invented))
    document = report_of(repaired_run())
    assert document.sections[0].title == "Objections"
    assert document.sections[0].blocks == (
        Items.of("provenance, Impact: nothing says where 4711 comes from: 4711 people called"),
    )
    assert document.notes[0].startswith("This report contradicts its own record")
