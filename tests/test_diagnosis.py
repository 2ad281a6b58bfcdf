"""From findings to root causes: the incident, its neighbours, and that order and luck play no part."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doctor.diagnosis import (
    RULE_CLAIMED,
    RULE_CONFIRMED,
    RULE_CONFIRMED_LATENT,
    RULE_FOLLOWS,
    RULE_HIDDEN,
    RULE_LOW,
    RULE_MEDIUM,
    RULE_OBSERVED,
    confirm,
    diagnose,
)
from doctor.model import (
    CheckResult,
    Confidence,
    Diagnosis,
    Evidence,
    EvidenceKind,
    Finding,
    Mechanism,
    Provenance,
    Resource,
    Role,
    Root,
    RuledOut,
    Severity,
    Status,
)
from doctor.record import dumps
from tests.example_runs import (
    CHAIN,
    EXTRACT,
    MECHANISMS,
    SCORE,
    agent_inactive,
    enqueue_swallowed,
    finding,
    healthy,
    index_not_needed,
    result,
    run_of,
    stalled,
    task_hidden,
    three_in_series,
    vectors_left_over,
)


def diagnosed(*findings: Finding, mechanisms: tuple[Mechanism, ...] = MECHANISMS, **others: CheckResult) -> Diagnosis:
    """Diagnose these findings on the example chain; ``others`` are results of further checks by code."""
    by_code: dict[str, list[Finding]] = {}
    for each in findings:
        by_code.setdefault(each.code, []).append(each)
    results = [result(code, *found) for code, found in by_code.items()] + list(others.values())
    return diagnose(sorted(results, key=lambda each: each.code), mechanisms, CHAIN)


def effects(root: Root) -> list[str]:
    return [effect.fingerprint for effect in root.effects]


# The incident: three causes in series (C4), one amplifier (C5), damage of the past (C7).


def test_three_causes_in_series_come_out_of_one_run_in_chain_order():
    diagnosis = diagnose(three_in_series(), MECHANISMS, CHAIN)
    assert [root.code for root in diagnosis.roots] == ["TSK001", "AGT001", "MOD001"]
    assert [root.stages for root in diagnosis.roots] == [("scored", "extracted"), ("extracted",), ("extracted",)]
    assert diagnosis.unexplained == ()


def test_only_the_first_of_them_explains_the_stall_and_the_others_are_latent():
    first, second, third = diagnose(three_in_series(), MECHANISMS, CHAIN).roots
    assert effects(first) == [stalled("scored").fingerprint]
    assert first.effects[0].how == "the task cannot be enqueued, so its stage is never run"
    assert first.latent_behind is None
    assert effects(second) == effects(third) == []
    assert (second.latent_behind, third.latent_behind) == (1, 2)


def test_two_findings_of_one_cause_are_one_root_that_lists_every_stage():
    first = diagnose(three_in_series(), MECHANISMS, CHAIN).roots[0]
    scoring, extraction = task_hidden(SCORE, "app/tasks/scoring.py"), task_hidden(EXTRACT, "app/tasks/extraction.py")
    assert first.findings == (scoring.fingerprint, extraction.fingerprint)


def test_what_made_it_silent_contributes_and_is_no_root():
    diagnosis = diagnose(three_in_series(), MECHANISMS, CHAIN)
    assert diagnosis.contributing == (enqueue_swallowed().fingerprint,)
    first, *others = diagnosis.roots
    assert [each.fingerprint for each in first.contributing] == [enqueue_swallowed().fingerprint]
    assert all(root.contributing == () for root in others)


def test_what_an_older_cause_left_behind_is_left_over_and_advice_stands_apart():
    diagnosis = diagnose(three_in_series(), MECHANISMS, CHAIN)
    assert diagnosis.left_over == (vectors_left_over().fingerprint,)
    assert diagnosis.advice == (index_not_needed().fingerprint,)


def test_measurements_that_refute_a_hypothesis_are_kept():
    assert diagnose(three_in_series(), MECHANISMS, CHAIN).ruled_out == (
        RuledOut("NATS down", "NATS 2.12, round trip 0.2 ms", "NAT001"),
        RuledOut("database down", "PostgreSQL 18.0, round trip 1.1 ms", "PGS001"),
        RuledOut("worker down", "worker idle, asks for tasks", "WRK001"),
    )


def test_every_cause_of_the_incident_is_of_high_confidence_by_a_printed_rule():
    roots = diagnose(three_in_series(), MECHANISMS, CHAIN).roots
    assert [root.confidence for root in roots] == [Confidence.HIGH] * 3
    assert [root.confidence_rule for root in roots] == [RULE_OBSERVED, RULE_HIDDEN, RULE_HIDDEN]


# One cause alone.


def test_a_missing_agent_alone_explains_the_stall_at_its_stage():
    diagnosis = diagnosed(agent_inactive(), stalled("extracted"))
    (root,) = diagnosis.roots
    assert root.code == "AGT001"
    assert effects(root) == [stalled("extracted").fingerprint]
    assert root.latent_behind is None
    assert (root.confidence, root.confidence_rule) == (Confidence.HIGH, RULE_OBSERVED)
    assert diagnosis.unexplained == ()


def test_a_cause_behind_the_stalled_stage_does_not_explain_it():
    diagnosis = diagnosed(agent_inactive(), stalled("scored"))
    (root,) = diagnosis.roots
    assert root.effects == ()
    assert root.latent_behind is None
    assert [each.fingerprint for each in diagnosis.unexplained] == [stalled("scored").fingerprint]


def test_a_hidden_task_of_another_stage_does_not_explain_a_stall():
    diagnosis = diagnosed(task_hidden(EXTRACT, "app/tasks/extraction.py"), stalled("scored"))
    assert diagnosis.roots[0].effects == ()
    assert len(diagnosis.unexplained) == 1


def test_a_task_outside_the_chain_is_a_root_without_stages():
    (root,) = diagnosed(task_hidden("app.tasks.reports.send_report", "app/tasks/reports.py")).roots
    assert root.stages == ()
    assert root.latent_behind is None
    assert (root.confidence, root.confidence_rule.startswith(RULE_FOLLOWS)) == (Confidence.HIGH, True)


def test_without_a_chain_causes_are_ordered_by_subsystem():
    diagnosis = diagnose(three_in_series(), MECHANISMS, None)
    assert [root.code for root in diagnosis.roots] == ["TSK001", "AGT001", "MOD001"]
    assert diagnosis.roots[0].stages == ()


def test_without_a_chain_the_gravest_cause_comes_first():
    tuning = replace(task_hidden("app.tasks.reports.send_report", "app/tasks/reports.py"), severity=Severity.WARNING)
    results = (result("TSK001", tuning), result("AGT001", agent_inactive()))
    assert [root.code for root in diagnose(results, MECHANISMS, None).roots] == ["AGT001", "TSK001"]


# Symptoms that nothing explains.


def test_a_symptom_without_a_cause_is_unexplained_with_the_questions_that_would_find_it():
    diagnosis = diagnosed(
        stalled("extracted"),
        agent=result("AGT001", status=Status.UNKNOWN, reason="no answer within 5 s"),
        model=result("MOD002", status=Status.SKIP, reason="no OLLAMA_HOST in .env or the environment"),
        task=result("TSK001"),
    )
    assert diagnosis.roots == ()
    (unexplained,) = diagnosis.unexplained
    assert unexplained.fingerprint == stalled("extracted").fingerprint
    assert sorted(unexplained.questions) == [
        "AGT001 agent-config-missing could not be answered: no answer within 5 s",
        "MOD002 model-server-unreachable could not be answered: no OLLAMA_HOST in .env or the environment",
    ]


def test_a_symptom_says_so_when_every_known_cause_is_absent():
    codes = ("AGT001", "MOD001", "MOD002", "TSK001", "WRK001")
    diagnosis = diagnosed(stalled("extracted"), **{code: result(code) for code in codes})
    (question,) = diagnosis.unexplained[0].questions
    assert question.startswith("Every known cause was checked and is absent")


def test_a_symptom_is_not_explained_by_another_symptom_alone():
    first = finding("CHN001", Resource("stage", "a"), role=Role.SYMPTOM)
    second = finding("CHN002", Resource("stage", "a"), role=Role.SYMPTOM)
    leads = (Mechanism("CHN001", "CHN002", "one leads to the other", ("stage",)),)
    diagnosis = diagnosed(first, second, mechanisms=leads)
    assert {each.fingerprint for each in diagnosis.unexplained} == {first.fingerprint, second.fingerprint}


# Order.


def dead(code: str, service: str) -> Finding:
    return finding(code, Resource("service", service), severity=Severity.CRITICAL)


def test_a_dead_service_comes_before_every_stage():
    worker = replace(dead("WRK001", "worker"), related=(Resource("service", "nats"),))
    diagnosis = diagnosed(worker, task_hidden(SCORE, "app/tasks/scoring.py"), agent_inactive(), stalled("scored"))
    assert [root.code for root in diagnosis.roots] == ["WRK001", "TSK001", "AGT001"]
    assert effects(diagnosis.roots[0]) == [stalled("scored").fingerprint]
    assert diagnosis.roots[0].latent_behind is None


def test_dead_services_stand_in_the_order_in_which_they_must_work():
    diagnosis = diagnosed(dead("WRK001", "worker"), dead("NAT001", "nats"), dead("PGS001", "postgresql"))
    assert [root.code for root in diagnosis.roots] == ["PGS001", "NAT001", "WRK001"]


def cause(code: str, stage: str, **fields: object) -> Finding:
    return finding(code, Resource("thing", code), stage=stage, **fields)


BY_STAGE = (
    Mechanism("AGT900", "CHN900", "the first way", ("stage",)),
    Mechanism("MOD900", "CHN900", "the second way", ("stage",)),
)


def test_what_joins_by_stage_alone_belongs_to_the_first_root():
    symptom = finding("CHN900", Resource("stage", "embedded"), role=Role.SYMPTOM, stage="embedded")
    diagnosis = diagnosed(cause("MOD900", "extracted"), cause("AGT900", "scored"), symptom, mechanisms=BY_STAGE)
    assert [root.code for root in diagnosis.roots] == ["AGT900", "MOD900"]
    assert effects(diagnosis.roots[0]) == [symptom.fingerprint]
    assert diagnosis.roots[1].effects == ()
    assert diagnosis.roots[1].latent_behind == 1


def test_what_joins_by_a_shared_resource_belongs_to_every_root_that_shares_it():
    shared = (Resource("table", "messages"),)
    symptom = finding("CHN900", Resource("stage", "x"), role=Role.SYMPTOM, related=shared)
    joins = tuple(replace(mechanism, join=("table",)) for mechanism in BY_STAGE)
    causes = [cause(code, "scored", related=shared) for code in ("AGT900", "MOD900")]
    diagnosis = diagnosed(*causes, symptom, mechanisms=joins)
    assert [effects(root) for root in diagnosis.roots] == [[symptom.fingerprint], [symptom.fingerprint]]


def test_kinds_that_the_mechanism_does_not_name_join_nothing():
    shared = (Resource("table", "messages"),)
    symptom = finding("CHN900", Resource("stage", "x"), role=Role.SYMPTOM, related=shared)
    joins = (Mechanism("AGT900", "CHN900", "by another kind", ("model",)),)
    diagnosis = diagnosed(cause("AGT900", "scored", related=shared), symptom, mechanisms=joins)
    assert diagnosis.roots[0].effects == ()
    assert len(diagnosis.unexplained) == 1


def test_a_chain_of_effects_stands_under_its_first_cause():
    nodes = [finding(code, Resource("table", "t"), role=role) for code, role in ROLES.items()]
    leads = [Mechanism(a, b, f"{a} leads to {b}", ("table",)) for a, b in zip(ROLES, list(ROLES)[1:], strict=False)]
    diagnosis = diagnosed(*nodes, mechanisms=tuple(leads))
    (root,) = diagnosis.roots
    assert effects(root) == [node.fingerprint for node in nodes[1:]]
    assert diagnosis.unexplained == diagnosis.left_over == ()


ROLES = {"AAA001": Role.CAUSE, "AAA002": Role.CAUSE, "AAA003": Role.SYMPTOM, "AAA004": Role.DAMAGE}


def test_one_code_with_two_groups_is_two_roots():
    models = [
        finding("MOD001", Resource("model", name), group=name, stage="extracted") for name in ("ollama/a", "ollama/b")
    ]
    assert [root.findings for root in diagnosed(*models).roots] == [(model.fingerprint,) for model in models]


# Advice.


def test_a_cause_that_is_merely_informative_is_advice_and_no_root():
    hint = finding("VEC001", Resource("column", "a.b"), severity=Severity.INFO, role=Role.CAUSE)
    diagnosis = diagnosed(hint, index_not_needed())
    assert diagnosis.roots == ()
    assert set(diagnosis.advice) == {hint.fingerprint, index_not_needed().fingerprint}


# Confidence.


def rule_of(*evidence: Evidence, rule: str = "", observed: bool = False) -> tuple[Confidence, str]:
    broken = finding("AAA001", Resource("table", "t"), evidence=evidence, rule=rule)
    seen = [finding("AAA002", Resource("table", "t"), role=Role.SYMPTOM)] if observed else []
    (root,) = diagnosed(broken, *seen, mechanisms=(Mechanism("AAA001", "AAA002", "so", ("table",)),)).roots
    return root.confidence, root.confidence_rule


MEASURED = Evidence(EvidenceKind.SQL, "asked", "answered", Provenance.MEASURED)
CLAIMED = Evidence(EvidenceKind.CONFIG, "README", "it is said", Provenance.CLAIMED)
LOGGED = Evidence(EvidenceKind.LOG, "worker.log:3", "model not found", Provenance.MEASURED)


def test_a_claim_or_nothing_at_all_gives_low_confidence_even_when_the_effect_is_seen():
    assert rule_of() == (Confidence.LOW, RULE_LOW)
    assert rule_of(CLAIMED) == (Confidence.LOW, RULE_LOW)
    assert rule_of(CLAIMED, observed=True, rule="a rule") == (Confidence.LOW, RULE_LOW)


@pytest.mark.parametrize("observed", [False, True])
def test_a_log_line_alone_never_exceeds_medium_confidence(observed: bool):
    confidence, _ = rule_of(LOGGED, observed=observed, rule="a rule")
    assert confidence.rank <= Confidence.MEDIUM.rank


@pytest.mark.parametrize("observed", [False, True])
def test_the_words_of_a_row_beside_a_measurement_give_medium_confidence(observed: bool):
    said = Evidence(EvidenceKind.SQL, "failed_tasks", "maximum payload exceeded", Provenance.CLAIMED)
    assert rule_of(MEASURED, said, observed=observed, rule="a rule") == (Confidence.MEDIUM, RULE_CLAIMED)


def test_a_measured_cause_without_effect_or_rule_gives_medium_confidence():
    assert rule_of(MEASURED) == (Confidence.MEDIUM, RULE_MEDIUM)


def test_a_measured_cause_with_its_effect_gives_high_confidence():
    assert rule_of(MEASURED, observed=True) == (Confidence.HIGH, RULE_OBSERVED)
    assert rule_of(CLAIMED, LOGGED, MEASURED, observed=True) == (Confidence.HIGH, RULE_OBSERVED)


def test_a_measured_cause_with_a_rule_of_the_library_gives_high_confidence_and_prints_the_rule():
    assert rule_of(MEASURED, rule="wraps does not carry .kiq") == (
        Confidence.HIGH,
        f"{RULE_FOLLOWS}: wraps does not carry .kiq",
    )


def test_one_unmeasured_finding_lowers_the_whole_root():
    measured = finding("AAA001", Resource("table", "a"), evidence=(MEASURED,), rule="a rule")
    claimed = finding("AAA001", Resource("table", "b"), evidence=(CLAIMED,), rule="a rule")
    (root,) = diagnosed(measured, claimed).roots
    assert root.confidence is Confidence.LOW


# Confirmation.


def test_a_repair_that_removes_cause_and_effect_confirms_every_root():
    before = three_in_series()
    confirmed = confirm(diagnose(before, MECHANISMS, CHAIN), before, healthy())
    assert [root.confidence for root in confirmed.roots] == [Confidence.CONFIRMED] * 3
    assert [root.confidence_rule for root in confirmed.roots] == [
        RULE_CONFIRMED,
        RULE_CONFIRMED_LATENT,
        RULE_CONFIRMED_LATENT,
    ]


def after_repair_of(*codes: str) -> tuple[CheckResult, ...]:
    repaired = {each.code: each for each in healthy()}
    return tuple(repaired[each.code] if each.code in codes else each for each in three_in_series())


def confidences(after: tuple[CheckResult, ...]) -> dict[str, Confidence]:
    before = three_in_series()
    return {root.code: root.confidence for root in confirm(diagnose(before, MECHANISMS, CHAIN), before, after).roots}


def test_a_root_whose_effect_is_still_seen_is_not_confirmed():
    assert set(confidences(after_repair_of("TSK001")).values()) == {Confidence.HIGH}


def test_a_latent_root_is_confirmed_only_when_every_root_was_repaired():
    found = confidences(after_repair_of("TSK001", "CHN001", "AGT001"))
    assert found == {"TSK001": Confidence.CONFIRMED, "AGT001": Confidence.HIGH, "MOD001": Confidence.HIGH}


@pytest.mark.parametrize("status", [Status.SKIP, Status.UNKNOWN])
def test_a_check_that_could_not_be_asked_again_confirms_nothing(status: Status):
    after = tuple(replace(each, status=status) if each.code == "CHN001" else each for each in healthy())
    found = confidences(after)
    assert found["TSK001"] is Confidence.HIGH


def test_a_check_that_was_not_run_again_confirms_nothing():
    assert confidences(tuple(each for each in healthy() if each.code != "TSK001"))["TSK001"] is Confidence.HIGH


# Nothing is lost, and nothing depends on luck.


def test_findings_that_cause_one_another_do_not_vanish():
    circle = [finding(code, Resource("table", "t")) for code in ("AAA001", "AAA002")]
    ways = (Mechanism("AAA001", "AAA002", "there", ("table",)), Mechanism("AAA002", "AAA001", "back", ("table",)))
    assert {each.fingerprint for each in circle} <= shown(diagnosed(*circle, mechanisms=ways))


def test_a_cause_under_an_informative_cause_does_not_vanish():
    hint = finding("AAA001", Resource("table", "t"), severity=Severity.INFO)
    worse = finding("AAA002", Resource("table", "t"))
    diagnosis = diagnosed(hint, worse, mechanisms=(Mechanism("AAA001", "AAA002", "so", ("table",)),))
    assert shown(diagnosis) == {hint.fingerprint, worse.fingerprint}


@pytest.mark.parametrize("number", range(12))
def test_an_effect_is_explained_by_the_first_finding_of_its_root(number: int):
    first = finding("AAA001", Resource("table", f"a{number}"), group="one")
    second = finding("AAA001", Resource("task", f"b{number}"), group="one")
    seen = finding("AAA002", Resource("stage", "s"), role=Role.SYMPTOM, related=(first.resource, second.resource))
    ways = (Mechanism("AAA001", "AAA002", "by task", ("task",)), Mechanism("AAA001", "AAA002", "by table", ("table",)))
    (root,) = diagnosed(first, second, seen, mechanisms=ways).roots
    assert root.findings[0] == first.fingerprint
    assert root.effects[0].how == "by table"


def shown(diagnosis: Diagnosis) -> set[str]:
    """Return every fingerprint that a diagnosis shows somewhere."""
    found = {*diagnosis.contributing, *diagnosis.left_over, *diagnosis.advice}
    found |= {each.fingerprint for each in diagnosis.unexplained}
    for root in diagnosis.roots:
        found |= {*root.findings, *effects(root)}
    return found


small_codes = st.sampled_from(["TSK001", "AGT001", "MOD001", "CHN001", "EMB001", "PGS001", "ZZZ001"])
small_resources = st.builds(
    Resource,
    st.sampled_from(["task", "table", "agent", "stage"]),
    st.sampled_from([SCORE, "x", "y"]),
    st.sampled_from([None, "app/a.py", "app/b.py"]),
)
small_findings = st.builds(
    finding,
    small_codes,
    small_resources,
    role=st.sampled_from(Role),
    severity=st.sampled_from(Severity),
    stage=st.sampled_from([None, *CHAIN.stage_names]),
    subject=st.sampled_from(["", "one", "two"]),
    group=st.sampled_from(["", "g"]),
    related=st.lists(small_resources, max_size=2).map(tuple),
)
small_mechanisms = st.lists(
    st.builds(
        Mechanism,
        small_codes,
        small_codes,
        st.sampled_from(["in one way", "in another"]),
        st.lists(st.sampled_from(["task", "table", "agent", "stage"]), min_size=1, max_size=2).map(tuple),
    ),
    max_size=6,
).map(tuple)
cases = st.lists(small_findings, max_size=7, unique_by=lambda each: each.fingerprint)


def results_of(found: list[Finding], order: random.Random) -> list[CheckResult]:
    by_code: dict[str, list[Finding]] = {}
    for each in found:
        by_code.setdefault(each.code, []).append(each)
    results = [result(code, *own) for code, own in by_code.items()]
    order.shuffle(results)
    return results


@settings(max_examples=200, deadline=None)
@given(cases, small_mechanisms, st.randoms(use_true_random=False))
def test_the_order_of_the_findings_changes_no_byte_of_the_diagnosis(
    found: list[Finding], mechanisms: tuple[Mechanism, ...], order: random.Random
):
    def text(found: list[Finding]) -> str:
        diagnosis = diagnose(results_of(found, order), mechanisms, CHAIN)
        return dumps(replace(run_of(()), diagnosis=diagnosis))

    shuffled = list(found)
    order.shuffle(shuffled)
    assert text(found) == text(shuffled)


@settings(max_examples=200, deadline=None)
@given(cases, small_mechanisms)
def test_every_finding_is_shown_somewhere_in_the_diagnosis(found: list[Finding], mechanisms: tuple[Mechanism, ...]):
    diagnosis = diagnose(results_of(found, random.Random(0)), mechanisms, CHAIN)
    assert shown(diagnosis) == {each.fingerprint for each in found}


@settings(max_examples=50, deadline=None)
@given(st.permutations(three_in_series()))
def test_the_incident_is_diagnosed_the_same_in_whatever_order_its_checks_end(results: list[CheckResult]):
    assert diagnose(results, MECHANISMS, CHAIN).roots == diagnose(three_in_series(), MECHANISMS, CHAIN).roots


def test_nothing_found_is_nothing_diagnosed():
    assert diagnose((), (), None) == Diagnosis()
    assert diagnose(healthy(), MECHANISMS, CHAIN).roots == ()
