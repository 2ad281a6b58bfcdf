"""A line of a log witnesses what a check has measured, or leaves a question; it confirms nothing."""

from __future__ import annotations

from dataclasses import replace

from doctor.diagnosis import RULE_LOW, RULE_MEDIUM, RULE_WITNESSED, diagnose, with_logs
from doctor.log_summary import LogHypothesis, LogIssue, LogSample, LogSignal, Occurrences
from doctor.model import CheckResult, Confidence, Diagnosis, Evidence, EvidenceKind, Resource, Severity, Signal, Status
from tests.example_runs import CHAIN, MECHANISMS, SCORE, agent_inactive, finding, result, task_hidden

OCCURRENCES = Occurrences(12, "2026-11-20T19:00:00Z", "2026-11-20T19:09:00Z", samples=(LogSample("x", "w.log", 7),))
KIQ = LogIssue(
    "task-has-no-kiq",
    "a task cannot be enqueued",
    "source",
    Severity.ERROR,
    Confidence.LOW,
    "only a log line",
    OCCURRENCES,
    (LogHypothesis("a decorator hides it", "TSK001"), LogHypothesis("it is no task", "TSK003"), LogHypothesis("luck")),
    {"task:scoring": 12},
)
AGENT = replace(
    KIQ,
    signature="agent-config-missing",
    hypotheses=(LogHypothesis("no row", "AGT001"),),
    resources={"agent:knowledge_extractor": 3},
)


def diagnosed(issues: tuple[LogIssue, ...], *results: CheckResult) -> Diagnosis:
    return with_logs(diagnose(results, MECHANISMS, CHAIN), results, issues)


def unobserved() -> CheckResult:
    """A cause that was measured, whose effect nobody has seen and no rule gives."""
    return result("AGT001", replace(agent_inactive(), rule="", stage=None))


def test_a_line_raises_a_measured_cause_whose_effect_nobody_had_seen() -> None:
    assert diagnosed((), unobserved()).roots[0].confidence_rule == RULE_MEDIUM
    found = diagnosed((AGENT,), unobserved())
    assert (found.roots[0].confidence, found.roots[0].confidence_rule) == (Confidence.HIGH, RULE_WITNESSED)
    assert found.witnesses[0].explained_by == found.roots[0].findings
    assert found.witnesses[0].questions == ()


def test_a_line_never_confirms_and_never_raises_what_was_not_measured() -> None:
    claimed = replace(agent_inactive(), evidence=(Evidence(EvidenceKind.LOG, "w.log:7", "no row"),))
    found = diagnosed((AGENT,), result("AGT001", claimed))
    assert (found.roots[0].confidence, found.roots[0].confidence_rule) == (Confidence.LOW, RULE_LOW)
    measured = diagnosed((KIQ,), result("TSK001", task_hidden(SCORE, "app/tasks/scoring.py")))
    assert measured.roots[0].confidence is Confidence.HIGH


def test_a_line_of_another_agent_or_task_is_not_explained() -> None:
    other = replace(AGENT, resources={"agent:summariser": 1})
    found = diagnosed((other,), unobserved())
    assert found.roots[0].confidence is Confidence.MEDIUM
    assert found.witnesses[0].explained_by == ()
    assert found.witnesses[0].questions == ("no row: AGT001 has found this of something else",)


def test_a_cause_whose_check_passes_is_ruled_out_and_the_others_stay_questions() -> None:
    skipped = CheckResult("TSK003", "x", "source", Status.SKIP, reason="no source")
    found = diagnosed((KIQ,), result("TSK001"), skipped)
    (ruled_out,) = [one for one in found.ruled_out if one.check == "TSK001"]
    assert ruled_out.hypothesis == "a decorator hides it"
    assert ruled_out.evidence.startswith("TSK001 finds nothing now; the log has `task-has-no-kiq`, last at 2026-11-20")
    assert found.witnesses[0].questions == (
        "it is no task: TSK003 could not be answered: no source",
        "luck: no check can tell",
    )


def test_a_line_whose_every_cause_is_absent_may_be_of_the_past() -> None:
    (witness,) = diagnosed((AGENT,), result("AGT001")).witnesses
    assert witness.questions == (
        "every cause that is known of it was checked and is absent now: it may be of the past",
    )


def test_an_effect_of_another_line_is_explained_with_it() -> None:
    effect = replace(KIQ, signature="silence", hypotheses=(), resources={}, caused_by=("agent-config-missing",))
    found = diagnosed((AGENT, effect), unobserved())
    assert found.witnesses[1].explained_by == found.roots[0].findings


def test_checks_that_were_not_selected_are_named() -> None:
    (witness,) = diagnosed((AGENT,)).witnesses
    assert witness.questions == ("no row: doctor check --select AGT001 would tell",)
    (witness,) = diagnosed((KIQ,)).witnesses
    assert witness.questions[0] == "one of 2 causes: doctor check --select TSK001,TSK003 would tell"


def test_an_effect_of_a_line_that_nothing_explains_only_says_so() -> None:
    effect = replace(KIQ, signature="silence", caused_by=("agent-config-missing",))
    assert diagnosed((AGENT, effect)).witnesses[1].questions == ("it follows from `agent-config-missing`",)


def test_a_short_name_is_found_in_a_full_one() -> None:
    hidden = result("TSK001", task_hidden(SCORE, "app/tasks/scoring.py"))
    assert diagnosed((KIQ,), hidden).witnesses[0].explained_by
    other = replace(KIQ, resources={"task:billing": 1})
    assert not diagnosed((other,), hidden).witnesses[0].explained_by
    unnamed = result("TSK001", finding("TSK001", Resource("line", "a.py:1")))
    assert diagnosed((other,), unnamed).witnesses[0].explained_by


def test_what_worked_by_the_logs_is_kept_beside_what_did_not() -> None:
    worked = LogSignal("threshold-reached", "enough messages wait", OCCURRENCES)
    results = (unobserved(),)
    found = with_logs(diagnose(results, MECHANISMS, CHAIN), results, (), (worked,))
    assert found.witnesses == ()
    assert found.signals == (
        Signal("threshold-reached", "enough messages wait", 12, "2026-11-20T19:00:00Z", "2026-11-20T19:09:00Z"),
    )


def test_the_requests_that_lines_name_go_with_their_witness() -> None:
    asked = replace(AGENT, endpoints=("GET /api/topics",))
    (witness,) = diagnosed((asked,), unobserved()).witnesses
    assert witness.endpoints == ("GET /api/topics",)
