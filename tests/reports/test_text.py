"""What a person sees: the same words with and without colour, within the width, in an order that helps."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from rich.cells import cell_len

from doctor.diagnosis import diagnose
from doctor.model import (
    Applicability,
    CheckResult,
    FixOption,
    Observation,
    RepairStatus,
    Resource,
    Run,
    Severity,
    Status,
)
from doctor.report import Presentation
from doctor.reports.text import REPORT
from tests.example_runs import (
    CHAIN,
    DIFF,
    MECHANISMS,
    agent_inactive,
    enqueue_swallowed,
    finding,
    healthy,
    index_not_needed,
    model_missing,
    repair,
    repaired_run,
    result,
    run_of,
    stalled,
    task_hidden,
    three_in_series,
    vectors_left_over,
)
from tests.strategies import runs

ANSI = re.compile(r"\x1b\[[0-9;]*m")
SKIPPED = CheckResult("VEC001", "vector-index-missing", "embeddings", Status.SKIP, reason="no DATABASE_URL in .env")
UNKNOWN = CheckResult("WRK001", "worker-not-consuming", "worker", Status.UNKNOWN, reason="no answer within 5 s")
BLOCKED = replace(SKIPPED, reason="PGS001 did not pass", blocked_by="PGS001")

LONG = finding(
    "MOD001",
    Resource("model", "ollama/x"),
    symptom="word " * 60 + "日本語" * 30 + " end",
    cause="c " * 100,
    fixes=(FixOption("pull-model", "title " * 40, Applicability.UNSAFE, "r"),),
)

RUNS = {
    "three causes in series": run_of(three_in_series()),
    "repaired and proved": repaired_run(),
    "healthy": run_of(healthy()),
    "nothing to check": run_of(
        (SKIPPED, replace(SKIPPED, code="NAT001", area="nats", reason="no NATS_URL")), chain=None
    ),
    "nothing selected": run_of((), chain=None),
    "could not tell": run_of((*healthy()[:2], UNKNOWN, BLOCKED)),
    "unexplained": run_of((result("CHN001", stalled("extracted")), UNKNOWN)),
    "planned": replace(
        run_of(three_in_series()), repairs=(repair(agent_inactive(), RepairStatus.PLANNED, preview="UPDATE a\nSET b"),)
    ),
    "every outcome": replace(
        repaired_run(), repairs=tuple(repair(stalled("scored"), status) for status in RepairStatus)
    ),
    "long texts": run_of((result("MOD001", LONG, observations=(Observation("o " * 90, "r " * 90),)),)),
    "still there": run_of(three_in_series(), after=three_in_series(), repairs=(repair(model_missing()),)),
}


def shown(run: Run, **presentation: object) -> str:
    return REPORT.render(run, Presentation(**presentation))


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
@pytest.mark.parametrize("width", [60, 100, 120])
@pytest.mark.parametrize("verbose", [False, True])
def test_no_line_is_wider_than_the_terminal(run: Run, width: int, verbose: bool):
    for line in shown(run, width=width, verbose=verbose).splitlines():
        assert cell_len(line) <= width, line
        assert line == line.rstrip()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(runs)
def test_any_run_can_be_shown_and_colour_changes_no_word(run: Run):
    run = replace(run, diagnosis=diagnose(run.before, MECHANISMS, CHAIN))
    plain = shown(run, width=80)
    assert "\x1b[" not in plain
    assert ANSI.sub("", shown(run, width=80, color=True)) == plain


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
@pytest.mark.parametrize("quiet", [False, True])
def test_the_words_are_the_same_with_and_without_colour(run: Run, quiet: bool):
    coloured = shown(run, color=True, quiet=quiet)
    assert "\x1b[" in coloured
    assert ANSI.sub("", coloured) == shown(run, quiet=quiet)


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_the_words_are_the_same_at_every_width(run: Run):
    def letters(width: int) -> str:
        return "".join(shown(run, width=width).split())

    assert letters(60) == letters(100) == letters(120)


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_paragraphs_are_separated_by_one_empty_line(run: Run):
    text = shown(run)
    assert "\n\n\n" not in text
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_a_heading_is_followed_by_a_blank(run: Run):
    headings = (
        "ROOT CAUSES?|UNEXPLAINED|CONTRIBUTES|LEFT OVER|ALSO|RULED OUT|COULD NOT TELL|REPAIRS|STILL THERE|NEXT"
        "|NOTHING TO CHECK"
    )
    assert not re.search(rf"^  (?:{headings})[^ \nS]", shown(run), re.MULTILINE)


def test_the_incident_is_told_from_the_first_root_to_the_next_step():
    text = words(shown(RUNS["three causes in series"]))
    story = [
        "doctor 0.1.0 backend 10 checks in 0.9 s unhealthy",
        "ROOT CAUSES 3, in chain order; each alone stops the chain",
        "1 TSK001 task-decorator-order error · high",
        "app/tasks/scoring.py:16 @task_retry_with_dlq(max_attempts=3)",
        "blocks scored, extracted",
        "explains CHN001 15 rows reached `scored`",
        "made silent by TSK002",
        "repair move `@broker.task` above `@task_retry_with_dlq` in app/tasks/scoring.py (safe)",
        "2 AGT001 agent-config-missing error · high · latent behind 1",
        "3 MOD001 model-not-available error · high · latent behind 2",
        "LEFT OVER EMB001 error 237 of 252 rows",
        "ALSO VEC001 info no index",
        "RULED OUT NATS down (NATS 2.12, round trip 0.2 ms)",
        "NEXT doctor fix --diff",
    ]
    positions = [text.find(part) for part in story]
    assert -1 not in positions, story[positions.index(-1)]
    assert positions == sorted(positions)


def test_every_symptom_is_shown_once():
    run = RUNS["three causes in series"]
    text = words(shown(run).partition("ROOT CAUSES")[2])
    for found in run.findings:
        assert text.count(words(found.symptom)) == 1, found.code


def test_what_may_be_done_in_place_of_the_recommended_repair_comes_after_it():
    activate = FixOption("update-row", "activate it", Applicability.SAFE, "one column", recommended=True)
    by_hand = FixOption.by_hand("write it anew", "only you know how")
    found = replace(agent_inactive(), fixes=(by_hand, activate))
    text = words(shown(run_of((result("AGT001", found), result("CHN001", stalled("extracted"))))))
    assert "repair activate it (safe) or write it anew (manual)" in text


def test_one_root_is_one_and_claims_nothing_about_others():
    text = shown(run_of((result("AGT001", agent_inactive()), result("CHN001", stalled("extracted")))))
    assert re.search(r"^  ROOT CAUSE +1$", text, re.MULTILINE)
    assert "each alone" not in text


def test_the_rule_of_each_verdict_is_shown_when_asked():
    run = RUNS["three causes in series"]
    rule = "high: the cause was measured, its effect is observed, and nothing refutes it"
    assert rule in words(shown(run, verbose=True))
    assert rule not in words(shown(run))


def test_a_healthy_run_is_short_and_says_so():
    text = shown(run_of(tuple(each for each in healthy() if each.code != "VEC001")))
    assert "healthy" in text.splitlines()[0]
    assert "ROOT CAUSE" not in text
    assert "doctor fix" not in text


def test_what_could_not_be_told_is_named_with_its_reason():
    text = words(shown(RUNS["could not tell"]))
    assert "COULD NOT TELL WRK001 worker-not-consuming: no answer within 5 s" in text
    assert "embeddings – blocked by PGS001" in text
    assert "incomplete" in text


def test_nothing_to_check_says_what_was_looked_for():
    text = words(shown(RUNS["nothing to check"]))
    assert "NOTHING TO CHECK no DATABASE_URL in .env; no NATS_URL. Run doctor in the project's folder." in text
    assert text.count("no NATS_URL") == 1


def test_an_empty_selection_is_not_told_as_an_empty_folder():
    text = words(shown(RUNS["nothing selected"]))
    assert "NOTHING TO CHECK" in text
    assert "NOTHING TO CHECK." not in text
    assert "NOTHING TO CHECK . " not in text


def test_an_unexplained_symptom_comes_with_its_questions():
    text = words(shown(RUNS["unexplained"]))
    assert "UNEXPLAINED CHN001 error 15 rows reached `extracted`" in text
    assert "WRK001 worker-not-consuming could not be answered: no answer within 5 s" in text


def test_a_planned_repair_is_shown_line_by_line_with_the_way_to_make_it():
    run = replace(run_of(three_in_series()), repairs=(repair(model_missing(), RepairStatus.PLANNED),))
    text = shown(run)
    for line in DIFF.splitlines():
        assert f"         {line}\n" in text
    assert "doctor fix --yes     makes these changes; doctor undo takes back what they write" in text
    unsafe = replace(run, repairs=(replace(run.repairs[0], applicability=Applicability.UNSAFE),))
    assert "doctor fix --yes --unsafe-fixes" in shown(unsafe)
    manual = replace(model_missing(), fixes=(FixOption.by_hand("think", "a person's"),))
    by_name = replace(run_of((result(manual.code, manual),)), repairs=(repair(manual, RepairStatus.PLANNED),))
    assert f"doctor fix {manual.code} --yes     makes these changes" in shown(by_name)


def test_a_repaired_run_leads_to_the_proof():
    text = words(shown(repaired_run()))
    assert "healthy" in text
    assert "✓ TSK001 repair TSK001 verified: 2 lines moved" in text
    assert "ROOT CAUSES" not in text
    assert "NEXT doctor verify" in text


def test_a_process_on_the_old_code_is_the_next_step():
    repairs = (repair(model_missing(), RepairStatus.RESTART_NEEDED, outcome="still on the old code: worker (pid 7)"),)
    text = words(shown(replace(repaired_run(), repairs=repairs)))
    assert "restart needed: still on the old code: worker (pid 7)" in text
    assert "NEXT restart what still runs the old code" in text


def test_what_is_still_there_after_the_repairs_is_shown_and_advice_is_not():
    text = words(shown(RUNS["still there"]))
    after = text.partition("STILL THERE")[2]
    assert "EMB001 error 237 of 252" in after
    assert "VEC001" not in after


def test_quiet_leaves_out_what_is_well():
    text = shown(RUNS["three causes in series"], quiet=True)
    assert "RULED OUT" not in text
    assert "127.0.0.1:5432" not in text
    assert "ROOT CAUSES" in text


def test_an_area_shows_its_worst_symptom_and_how_many_more():
    both = result("EMB001", replace(vectors_left_over(), severity=Severity.WARNING), subject_two(), status=Status.FAIL)
    (line,) = [line for line in shown(run_of((both,))).splitlines() if line.startswith("    embeddings")]
    assert "●  7 of 9 are NULL  (+1 more)" in line
    (line,) = [
        line
        for line in shown(run_of((result("VEC001", index_not_needed()),))).splitlines()
        if line.startswith("    embeddings")
    ]
    assert "·  no index" in line


def subject_two():
    return replace(vectors_left_over(), subject="two", symptom="7 of 9 are NULL")


def test_markup_of_the_terminal_library_is_text():
    hostile = finding("AGT001", Resource("agent", "x"), symptom="[bold red]x[/] :boom: [link=http://x]y[/link]")
    for color in (False, True):
        assert "[bold red]x[/] :boom: [link=http://x]y[/link]" in ANSI.sub(
            "", shown(run_of((result("AGT001", hostile),)), color=color)
        )


def test_a_name_of_the_target_cannot_drive_the_terminal():
    run = run_of(healthy())
    text = shown(replace(run, target=replace(run.target, name="x\x1b]0;title\x07\x1b[2J")))
    assert "\x1b" not in text


def test_an_area_of_which_most_was_not_asked_is_not_called_well():
    passed = CheckResult("NAT003", "broker-settings", "nats", Status.PASS)
    skipped = CheckResult("NAT001", "nats-unreachable", "nats", Status.SKIP, reason="no NATS_URL")
    assert "nats – no NATS_URL" in words(shown(run_of((skipped, passed))))
    talking = replace(passed, observations=(Observation("one broker read"),))
    assert "nats – one broker read · the rest: no NATS_URL" in words(shown(run_of((skipped, talking))))
    blocked = replace(skipped, code="WRK001", reason="NAT001 did not pass", blocked_by="NAT001")
    assert "nats – one broker read · the rest: blocked by NAT001" in words(shown(run_of((blocked, talking))))


def test_a_few_checks_that_do_not_apply_leave_an_area_well():
    passed = CheckResult("NAT003", "broker-settings", "nats", Status.PASS)
    skipped = CheckResult("NAT005", "stream-grows-for-ever", "nats", Status.SKIP, reason="no stream")
    results = (skipped, passed, replace(passed, code="NAT001"))
    assert "nats ✓ nothing found" in words(shown(run_of(results)))
    assert "nats ✓ no stream" in words(shown(run_of(results), verbose=True))


def test_an_area_that_has_nothing_to_say_says_that_nothing_was_found():
    assert "nats ✓ nothing found" in words(
        shown(run_of((CheckResult("NAT003", "broker-settings", "nats", Status.PASS),)))
    )


def test_an_area_with_advice_alone_says_what_was_seen():
    seen = result("EMB001", observations=(Observation("383 of 387 rows have a vector"),))
    text = words(shown(run_of((seen, result("VEC001", index_not_needed())))))
    assert "embeddings · 383 of 387 rows have a vector ALSO VEC001" in text


def test_an_area_with_findings_says_what_was_not_asked():
    seen = result("VEC001", index_not_needed(), observations=(Observation("0 of 2 vector columns indexed"),))
    skipped = result("EMB001", status=Status.SKIP, reason="no NATS_URL")
    text = words(shown(run_of((skipped, seen))))
    assert "embeddings · 0 of 2 vector columns indexed · the rest: no NATS_URL ALSO" in text
    text = words(
        shown(run_of((result("EMB001", vectors_left_over()), result("VEC001", status=Status.SKIP, reason="x"))))
    )
    assert "have no embedding · the rest: x LEFT OVER" in text


def test_what_contributes_to_nothing_present_has_its_place_its_repair_and_a_next_step():
    option = FixOption.by_hand("await the call", "only you know")
    lone = replace(enqueue_swallowed(), severity=Severity.ERROR, fixes=(option,))
    text = words(shown(run_of((result("TSK002", lone),))))
    assert f"CONTRIBUTES TSK002 error app/messages.py:40 {lone.symptom} repair await the call (manual)" in text
    assert "NEXT doctor explain TSK002 says what to do" in text


def test_what_is_still_there_stands_in_the_order_of_the_diagnosis_with_its_place():
    after = words(shown(RUNS["still there"]).partition("STILL THERE")[2])
    places = [after.find(part) for part in ("TSK001 error app/tasks/scoring.py:16", "AGT001", "MOD001", "EMB001")]
    assert -1 not in places
    assert places == sorted(places)


def test_one_reason_for_many_checks_is_told_once():
    others = tuple(replace(UNKNOWN, code=code) for code in ("TSK001", "TSK002"))
    text = words(shown(run_of((*others, UNKNOWN))))
    assert text.count("no answer within 5 s") == 2  # the area's own line, and the reason
    assert "COULD NOT TELL TSK001, TSK002, WRK001: no answer within 5 s" in text


def test_what_is_still_there_has_the_numbers_of_now():
    left = replace(vectors_left_over(), symptom="14 of 252 rows of messages, older than 24 h, have no embedding")
    partial = repair(left, RepairStatus.PARTIAL)
    text = words(shown(run_of(three_in_series(), after=(result("EMB001", left),), repairs=(partial,))))
    assert "STILL THERE EMB001 error 14 of 252 rows" in text
    assert "NEXT doctor fix EMB001 goes on where it stopped" in text


def test_repairs_that_were_taken_back_are_not_called_well():
    run = repaired_run()
    run = replace(run, repairs=(replace(run.repairs[0], status=RepairStatus.UNDONE), *run.repairs[1:]))
    text = words(shown(run))
    assert "healthy; 1 of 3 repairs taken back since" in text
    assert "↩ TSK001" in text
    assert "NEXT doctor check" in text


def test_of_very_many_findings_a_person_sees_some_and_how_many_more_there_are():
    hidden = [task_hidden(f"app.tasks.t{number}", f"app/t{number}.py") for number in range(300)]
    hidden += [replace(one, subject="own", group=one.resource.id) for one in hidden]
    run = run_of((result("TSK001", *hidden),), mechanisms=())
    assert len(shown(run).splitlines()) < 700
    assert "and 280 more; -v shows all" in shown(run)
    assert "and 251 more; -v shows all" in shown(run)
    assert "more; -v shows all" not in shown(run, verbose=True)


def test_how_long_each_check_took_is_shown_when_asked_the_slowest_first():
    run = run_of((result("PGS001", duration=0.25), result("NAT001", duration=1.5), SKIPPED))
    assert "TIMES         NAT001 1.500 s · PGS001 0.250 s" in shown(run, verbose=True)
    assert "TIMES" not in shown(run)
