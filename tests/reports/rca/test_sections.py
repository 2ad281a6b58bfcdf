"""What the sections say, and what they leave unsaid."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from doctor.model import (
    Applicability,
    Evidence,
    EvidenceKind,
    FixOption,
    Provenance,
    RepairStatus,
    RuledOut,
    Run,
    Severity,
    Signal,
    Witness,
)
from doctor.reports.rca.document import Graph, Items, Section, Table, marks, texts
from doctor.reports.rca.report import report_of
from doctor.reports.rca.sections.fixes import RISKS
from tests.example_runs import model_missing, repair, repaired_run, result, run_of, three_in_series

BEGAN = datetime(2026, 11, 20, 19, 45, 17, 85_000, UTC)


def section(run: Run, title: str) -> Section:
    return next(one for one in report_of(run).sections if one.title == title)


def told(run: Run, title: str) -> str:
    return "\n".join(text for block in section(run, title).blocks for text in texts(block))


def table(run: Run, title: str) -> dict[str, list[str]]:
    """Return the first table of a section by its first cell."""
    found = next(block for block in section(run, title).blocks if isinstance(block, Table))
    cells = ([cell if isinstance(cell, str) else cell.text for cell in row] for row in found.rows)
    return {first: rest for first, *rest in cells}


def witnessed(run: Run, last: datetime = BEGAN - timedelta(minutes=5)) -> Run:
    """Return a run whose first cause a log witnesses for the first time ten minutes before the check."""
    first = (BEGAN - timedelta(minutes=10)).isoformat()
    root = run.diagnosis.roots[0]
    line = Witness(
        "task-has-no-kiq", "no kiq", Severity.ERROR, 12, first, last.isoformat(), "w.log:7", "x", root.findings
    )
    return replace(run, diagnosis=replace(run.diagnosis, witnesses=(line,)))


def dated(run: Run) -> Run:
    """Return a run whose repairs began 10, 20 and 30 s after the check, and took 2 s each."""
    repairs = (
        replace(one, started_at=BEGAN + timedelta(seconds=10 * number), duration=2.0)
        for number, one in enumerate(run.repairs, 1)
    )
    return replace(run, repairs=tuple(repairs), checked_again_at=BEGAN + timedelta(seconds=40))


# Status.


def test_the_status_of_a_repaired_and_proved_incident_is_good_in_every_row():
    assert table(repaired_run(), "Status") == {
        "root causes": ["3 found, 3 gone"],
        "repairs": ["3 of 3 verified: the check no longer finds what it found"],
        "last check": ["healthy"],
        "end to end": ["proved: 15 messages went through every stage"],
        "still open": ["nothing"],
    }
    assert {mark.tone for block in section(repaired_run(), "Status").blocks for mark in marks(block)} == {"good"}


def test_the_status_of_an_incident_that_nobody_repaired_says_what_is_missing():
    rows = table(run_of(three_in_series()), "Status")
    assert rows["root causes"] == ["3 found"]
    assert rows["end to end"] == ["not proved: no message was sent through the chain in this run"]
    assert "repairs" not in rows


# Root causes.


def test_a_root_cause_shows_its_lines_of_code_with_their_numbers():
    (first, *_) = section(run_of(three_in_series()), "Root causes").blocks
    code = [
        block
        for fold in first.blocks
        if fold.kind == "fold"
        for items in fold.blocks
        for item in items.items
        for block in item.blocks
    ]
    assert [block.text for block in code] == [
        "16  @task_retry_with_dlq(max_attempts=3)",
        "31  @task_retry_with_dlq(max_attempts=3)",
    ]


def test_the_evidence_against_a_cause_names_the_rivals_that_were_refuted_and_what_nobody_saw():
    run = run_of((result("MOD001", model_missing()),))
    rival = RuledOut("base URL wrong", "the server answered with its list", "MOD001")
    text = told(replace(run, diagnosis=replace(run.diagnosis, ruled_out=(rival,))), "Root causes")
    assert "a rival explanation was tried and refuted: base URL wrong (the server answered with its list)" in text
    assert "its own effect was not observed, so only its state speaks for it" in text
    assert "no log was read to witness it" in text


def test_a_line_of_a_log_is_evidence_that_proves_nothing():
    text = told(witnessed(run_of(three_in_series())), "Root causes")
    assert "log, w.log:7: `task-has-no-kiq` 12 ×; a line witnesses, it proves nothing" in text


# The causal graph.


def test_the_graph_leads_from_causes_to_effects_and_says_what_hides_silences_and_witnesses():
    blocks = section(witnessed(run_of(three_in_series())), "How it hangs together").blocks
    graph = next(block for block in blocks if isinstance(block, Graph))
    arrows = [(graph.node(one.source).kind, one.label, graph.node(one.target).kind) for one in graph.edges]
    assert ("root", "hides", "root") in arrows
    assert ("amplifier", "silences", "root") in arrows
    assert ("witness", "witnesses", "root") in arrows
    assert [(source, target) for source, label, target in arrows if "enqueued" in label] == [("root", "effect")]
    assert [node.kind for node in graph.nodes].count("left over") == 1


# Fixes.


@pytest.mark.parametrize("status", RepairStatus)
def test_a_repair_is_shown_with_its_risk_its_change_and_what_became_of_it(status: RepairStatus):
    run = replace(run_of(three_in_series()), repairs=(repair(model_missing(), status),))
    (_, details, _) = section(run, "Fixes").blocks
    (pairs, code) = details.blocks
    values = {name: value if isinstance(value, str) else value.text for name, value in pairs.rows}
    assert values["applied"] == status
    assert values["risk"] == RISKS[run.repairs[0].applicability]
    assert (code.language, code.text) == ("diff", run.repairs[0].preview)


def test_the_ways_that_were_not_taken_are_named():
    taken, other = (FixOption("x", name, Applicability.SAFE, "because") for name in ("one way", "another"))
    found = replace(model_missing(), fixes=(taken, other))
    made = replace(repair(found), title="one way")
    (_, details, _) = section(replace(run_of((result("MOD001", found),)), repairs=(made,)), "Fixes").blocks
    assert ("not taken", "another (safe)") in details.blocks[0].rows


# Timeline.


def test_the_times_to_detect_diagnose_and_fix_say_between_what_they_are_measured():
    text = told(dated(witnessed(repaired_run())), "Timeline")
    assert "time to detect: 600.0 s, from the first line that witnesses a cause to the start of the check" in text
    assert "time to diagnose: 0.9 s, from the start of the check to the diagnosis" in text
    assert "time to fix: 31.1 s, from the diagnosis to the end of the last repair" in text


def test_times_that_nothing_dates_are_not_invented():
    text = told(repaired_run(), "Timeline")
    assert "time to detect: not known, because nothing dates the beginning" in text
    assert "from the sum of what the repairs took by themselves" in text
    assert "time to fix: nothing was repaired in this run" in told(run_of(three_in_series()), "Timeline")


def test_events_stand_in_the_order_in_which_they_happened():
    rows = list(table(dated(witnessed(repaired_run())), "Timeline"))
    assert rows == sorted(rows)
    assert len(rows) > 6


# Logs.


def test_the_logs_say_whether_the_trouble_and_what_works_were_written_since_the_repairs():
    run = dated(witnessed(repaired_run()))
    quiet = told(run, "Database and logs")
    assert "of the lines of trouble none was written, as far as was read" in quiet
    assert "No line of success is of later: silence alone proves nothing." in quiet
    late = (BEGAN + timedelta(minutes=1)).isoformat()
    signal = Signal("threshold-reached", "enough messages wait", 2, late, late)
    worked = told(replace(run, diagnosis=replace(run.diagnosis, signals=(signal,))), "Database and logs")
    assert "Of the lines of success `threshold-reached` was written again: it is not silence alone." in worked
    again = told(dated(witnessed(repaired_run(), BEGAN + timedelta(minutes=1))), "Database and logs")
    assert "of the lines of trouble `task-has-no-kiq` was written again" in again


def test_without_a_log_the_report_says_how_to_read_one():
    assert "`doctor check --logs LOG` reads logs as well" in told(repaired_run(), "Database and logs")


# Prevention, lessons.


def test_a_cause_that_files_alone_show_is_caught_before_a_merge_and_another_after_a_deployment():
    rows = table(run_of(three_in_series()), "Prevention")
    assert rows["1. TSK001 task-decorator-order"] == [
        "on every change, before it is merged: the files alone show it",
        "`doctor check --select TSK001 --offline`",
    ]
    assert rows["2. AGT001 agent-config-missing"][0].startswith("after every deployment")
    assert rows["2. AGT001 agent-config-missing"][1] == "`doctor check --select AGT001`"


def test_the_command_against_a_warning_fails_on_warnings():
    rows = table(run_of(three_in_series()), "Prevention")
    assert rows["TSK002 enqueue-error-swallowed"][1] == "`doctor check --select TSK002 --fail-on warning`"


def test_a_summary_counts_as_done_only_what_was():
    run = repaired_run()
    refused = replace(run.repairs[0], status=RepairStatus.REFUSED)
    assert "Repairs: 3 verified. 1 source file changed." in told(run, "Summary")
    assert "Repairs: 1 refused, 2 verified." in told(replace(run, repairs=(refused, *run.repairs[1:])), "Summary")


def test_each_lesson_rests_on_something_that_was_found():
    text = told(repaired_run(), "Lessons")
    assert "TSK002" in text
    assert "AGT001, MOD001 would have shown only after the repair before it" in text
    assert "NATS down, database down, worker down" in text
    assert "Lessons" not in [one.title for one in report_of(run_of(())).sections]


def test_what_is_not_known_is_said():
    assert "what triggered it, and when it began" in told(run_of(three_in_series()), "Not known")
    dated_by_log = told(witnessed(run_of(three_in_series())), "Not known")
    assert "the first line that witnesses it is of 2026-11-20T19:35:17" in dated_by_log


def test_lines_that_nothing_explains_are_questions():
    line = Witness("x", "something failed", Severity.ERROR, 3, "", "", "w.log:1", "x", (), ("who knows",))
    run = run_of(three_in_series())
    blocks = section(replace(run, diagnosis=replace(run.diagnosis, witnesses=(line,))), "Not known").blocks
    (items,) = (block for block in blocks if isinstance(block, Items))
    assert items.items[0].text == "in the log, and nothing explains it: something failed (`x`, 3 ×)"
    assert items.items[0].blocks == (Items.of("who knows"),)


def test_claims_are_marked_wherever_they_stand():
    found = replace(
        model_missing(), evidence=(Evidence(EvidenceKind.CONFIG, "a note", "so they say", Provenance.CLAIMED),)
    )
    document = report_of(run_of((result("MOD001", found),)))
    saying = [text for one in document.sections for block in one.blocks for text in texts(block)]
    assert [text for text in saying if "is not on http" in text]
    assert all("(claimed)" in text for text in saying if "is not on http" in text)


def test_a_run_that_only_looked_says_how_to_go_on_where_doctor_can():
    assert "`doctor fix --diff` shows what doctor would change." in told(run_of(three_in_series()), "Summary")
    by_hand = replace(model_missing(), fixes=(FixOption.by_hand("think", "only you can"),))
    assert "doctor fix" not in told(run_of((result("MOD001", by_hand),)), "Summary")
