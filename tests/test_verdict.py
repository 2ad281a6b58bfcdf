"""One exit code for a run, the same in every format."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doctor.model import CheckResult, RepairStatus, Resource, Severity, Status
from doctor.verdict import PRECEDENCE, ExitCode, exit_code, fails_gate, status_word, strongest
from tests.example_runs import finding, healthy, repair, repaired_run, result, run_of, stalled, three_in_series


def test_the_codes_are_a_contract():
    assert {code.name: int(code) for code in ExitCode} == {
        "OK": 0,
        "FINDINGS": 1,
        "USAGE": 2,
        "INCOMPLETE": 3,
        "INTERNAL": 4,
        "ROLLED_BACK": 5,
        "INTERRUPTED": 130,
    }


def test_the_stronger_code_wins():
    assert [int(code) for code in PRECEDENCE] == [130, 4, 2, 5, 1, 3, 0]
    assert set(PRECEDENCE) == set(ExitCode)
    for first, second in permutations(ExitCode, 2):
        winner = first if PRECEDENCE.index(first) < PRECEDENCE.index(second) else second
        assert strongest([first, second]) is winner
    assert strongest([]) is ExitCode.OK


@given(st.lists(st.sampled_from(ExitCode), min_size=1))
def test_the_order_of_the_codes_does_not_matter(codes: list[ExitCode]):
    assert strongest(codes) is strongest(reversed(codes)) is min(codes, key=PRECEDENCE.index)


UNKNOWN = CheckResult("ZZZ001", "x-y", "zzz", Status.UNKNOWN, reason="no answer")
SKIPPED = CheckResult("ZZZ002", "x-z", "zzz", Status.SKIP, reason="no DATABASE_URL")
PASSED = CheckResult("ZZZ003", "x-w", "zzz", Status.PASS)


def failed(severity: Severity) -> CheckResult:
    return result("ZZZ004", finding("ZZZ004", Resource("thing", "x"), severity=severity))


@pytest.mark.parametrize(
    "results, code, word",
    [
        ((), 3, "incomplete"),
        ((SKIPPED,), 3, "incomplete"),
        ((PASSED,), 0, "healthy"),
        ((PASSED, SKIPPED), 0, "partial"),
        ((PASSED, UNKNOWN), 3, "incomplete"),
        ((UNKNOWN,), 3, "incomplete"),
        ((failed(Severity.ERROR),), 1, "unhealthy"),
        ((failed(Severity.CRITICAL), UNKNOWN), 1, "unhealthy"),
        ((failed(Severity.WARNING),), 0, "warnings"),
        ((failed(Severity.INFO),), 0, "healthy"),
        ((failed(Severity.WARNING), UNKNOWN), 3, "incomplete"),
    ],
)
def test_a_run_is_judged_by_its_results(results: tuple[CheckResult, ...], code: int, word: str):
    run = run_of(results)
    assert (int(exit_code(run)), status_word(run)) == (code, word)


def test_findings_before_a_crash_count():
    assert exit_code(run_of((replace(failed(Severity.ERROR), status=Status.UNKNOWN),))) is ExitCode.FINDINGS


@pytest.mark.parametrize("fail_on", [*Severity, "never"])
def test_the_gate_opens_below_its_severity(fail_on: str):
    for severity in Severity:
        expected = fail_on != "never" and severity.rank >= Severity(fail_on).rank
        assert fails_gate(severity, str(fail_on)) is expected
        assert (exit_code(run_of((failed(severity),), fail_on=str(fail_on))) is ExitCode.FINDINGS) is expected


def test_the_latest_state_counts():
    assert exit_code(repaired_run()) is ExitCode.OK
    assert exit_code(replace(repaired_run(), after=None)) is ExitCode.FINDINGS
    assert exit_code(run_of(healthy(), after=three_in_series())) is ExitCode.FINDINGS


def test_a_repair_that_was_rolled_back_outranks_findings():
    rolled_back = (repair(stalled("scored"), RepairStatus.ROLLED_BACK),)
    run = replace(run_of(three_in_series()), repairs=rolled_back)
    assert (exit_code(run), status_word(run)) == (ExitCode.ROLLED_BACK, "unhealthy")
    others = tuple(repair(stalled("scored"), status) for status in RepairStatus if status != "rolled back")
    assert exit_code(replace(run_of(healthy()), repairs=others)) is ExitCode.OK
