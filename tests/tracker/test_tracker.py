"""Runs move issues on; what people wrote and what has happened is never lost."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from doctor.cli import doctor
from doctor.model import RepairStatus, Run, Severity, StageResult, Status, Verification, Witness
from doctor.record import RunStore
from doctor.tracker.human import EMPTY, block, blocks_in, together
from doctor.tracker.issue import IssueRole, IssueStatus, TrackedIssue, Tracker
from doctor.tracker.markdown import escape, investigation_order, render
from doctor.tracker.store import TrackerError, dumps, load, loads
from doctor.tracker.update import merge, updated, with_people
from tests.example_runs import healthy, repair, result, run_of, stalled, three_in_series

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
PROOF = Verification("m", 15, (StageResult("scored", 15, 15, True, 1.0),), True, None)


def at(run: Run, number: int) -> Run:
    """Return a run with an id and a time of its own."""
    return replace(run, id=f"run-{number}", started_at=run.started_at + timedelta(hours=number))


def broken(number: int = 1) -> Run:
    return at(run_of(three_in_series()), number)


def repaired(number: int = 2, verification: Verification | None = None) -> Run:
    return replace(broken(number), after=healthy(), verification=verification)


def tracked(*runs: Run, start: Tracker | None = None) -> Tracker:
    tracker = start or Tracker()
    for run in runs:
        tracker = updated(tracker, run)
    return tracker


def issue(tracker: Tracker, code: str) -> TrackedIssue:
    return next(one for one in tracker.issues.values() if one.code == code)


def statuses(tracker: Tracker, code: str = "TSK001") -> list[IssueStatus]:
    return [event.after for event in issue(tracker, code).history]


def test_each_root_effect_and_leftover_of_a_run_is_an_issue() -> None:
    tracker = tracked(broken())
    roles = {(one.code, one.role) for one in tracker.issues.values()}
    assert roles >= {
        ("TSK001", IssueRole.ROOT),
        ("AGT001", IssueRole.ROOT),
        ("MOD001", IssueRole.ROOT),
        ("CHN001", IssueRole.EFFECT),
        ("TSK002", IssueRole.CONTRIBUTING),
        ("EMB001", IssueRole.LEFT_OVER),
    }
    assert [one.code for one in investigation_order(tracker)][:3] == ["TSK001", "AGT001", "MOD001"]
    assert issue(tracker, "CHN001").caused_by == (issue(tracker, "TSK001").key,)
    assert issue(tracker, "TSK001").status is IssueStatus.FIX_READY


def test_a_run_is_taken_in_once() -> None:
    once = tracked(broken())
    assert tracked(broken(), start=once) is once


def test_silence_resolves_nothing_and_a_proof_does() -> None:
    silent = tracked(broken(), repaired())
    assert statuses(silent) == [IssueStatus.FIX_READY, IssueStatus.FIXED_UNVERIFIED]
    failed = tracked(broken(), repaired(verification=replace(PROOF, passed=False)))
    assert issue(failed, "TSK001").status is IssueStatus.FIXED_UNVERIFIED
    assert issue(failed, "TSK001").validated == "failed in run run-2: 15 canaries"
    proved = tracked(broken(), repaired(verification=PROOF))
    assert statuses(proved)[-1] is IssueStatus.RESOLVED
    later = tracked(broken(), repaired(), at(run_of(healthy(), verification=PROOF), 3))
    assert statuses(later)[-1] is IssueStatus.RESOLVED


def test_what_comes_back_is_reopened() -> None:
    tracker = tracked(broken(), repaired(verification=PROOF), broken(3))
    assert statuses(tracker)[-2:] == [IssueStatus.RESOLVED, IssueStatus.REOPENED]
    assert issue(tracker, "TSK001").history[-1].run == "run-3"


def test_a_check_that_could_not_tell_changes_nothing() -> None:
    blind = at(run_of((replace(result("TSK001"), status=Status.UNKNOWN),)), 2)
    assert statuses(tracked(broken(), blind)) == [IssueStatus.FIX_READY]


def test_a_repair_is_named_in_the_history() -> None:
    run = replace(repaired(), repairs=(replace(repair(stalled("scored"), RepairStatus.VERIFIED), code="TSK001"),))
    assert "; repaired: " in issue(tracked(broken(), run), "TSK001").history[-1].reason


def witnessed(number: int, *explained_by: str) -> Run:
    run = broken(number)
    witness = Witness(
        "task-has-no-kiq", "no kiq", Severity.ERROR, 3, "", "", "w.log:7", "<script>", explained_by, ("?",)
    )
    return replace(run, diagnosis=replace(run.diagnosis, witnesses=(witness,)))


def test_a_line_of_a_log_is_observed_and_becomes_an_effect_when_its_cause_is_found() -> None:
    tracker = tracked(witnessed(1))
    assert (tracker.issues["log/task-has-no-kiq"].status, tracker.issues["log/task-has-no-kiq"].role) == (
        IssueStatus.OBSERVED,
        IssueRole.UNKNOWN,
    )
    tracker = tracked(witnessed(2, broken().diagnosis.roots[0].findings[0]), start=tracker)
    assert tracker.issues["log/task-has-no-kiq"].caused_by == (issue(tracker, "TSK001").key,)
    assert issue(tracker, "TSK001").signatures == {"task-has-no-kiq": 3}
    assert "<script>" not in render(tracker)


def test_a_decision_of_a_person_needs_a_reason_and_no_run_takes_it_back() -> None:
    tracker = tracked(broken())
    name = issue(tracker, "TSK001").id
    undecided, problems = with_people(tracker, {name: "status: accepted_risk\n"}, NOW)
    assert issue(undecided, "TSK001").status is IssueStatus.FIX_READY
    assert problems == [f"{name}: accepted_risk needs a reason: `status: accepted_risk - because …`"]
    decided, problems = with_people(tracker, {name: "owner: me\nstatus: accepted_risk - replaced soon\n"}, NOW)
    assert problems == []
    assert issue(decided, "TSK001").history[-1].actor == "human"
    assert issue(decided, "TSK001").history[-1].reason == "replaced soon"
    later = tracked(broken(2), repaired(3, PROOF), start=decided)
    assert issue(later, "TSK001").status is IssueStatus.ACCEPTED_RISK
    assert with_people(later, {name: "status: accepted_risk - replaced soon\n"}, NOW)[0] == replace(
        later,
        issues={
            **later.issues,
            issue(later, "TSK001").key: replace(
                issue(later, "TSK001"), human="status: accepted_risk - replaced soon\n"
            ),
        },
    )


def test_a_status_that_is_not_for_people_is_told() -> None:
    tracker = tracked(broken())
    name = issue(tracker, "TSK001").id
    same, problems = with_people(tracker, {name: "status: resolved\n"}, NOW)
    assert issue(same, "TSK001").status is IssueStatus.FIX_READY
    assert problems[0].startswith(f"{name}: a person may set only accepted_risk")


LINES = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=20), max_size=5)
TEXTS = LINES.map(lambda lines: "".join(f"{line}\n" for line in lines)).filter(
    lambda text: "<!-- doctor:" not in text and "<<<<<<<" not in text
)


@settings(max_examples=40, deadline=None)
@given(st.lists(TEXTS, min_size=6, max_size=6), st.randoms(use_true_random=False))
def test_what_people_wrote_survives_runs_reordering_and_the_way_through_both_files(texts, random) -> None:
    tracker = tracked(broken())
    names = [one.id for one in tracker.issues.values()]
    written = {name: text for name, text in zip(names, texts, strict=False) if text}
    tracker, _ = with_people(tracker, written, NOW)
    shown = render(tracker)
    sections = shown.split("\n### ")
    random.shuffle(sections)
    assert {name: text for name, text in blocks_in("\n### ".join(sections)).items() if text != EMPTY} == written
    again, _ = with_people(tracked(repaired(), start=loads(dumps(tracker), Path("rca.json"))), blocks_in(shown), NOW)
    assert {one.id: one.human for one in again.issues.values() if one.human not in ("", EMPTY)} == written


@settings(max_examples=40, deadline=None)
@given(TEXTS, TEXTS)
def test_two_branches_meet_without_losing_a_line(ours: str, theirs: str) -> None:
    base = tracked(broken())
    name = issue(base, "TSK001").id
    one, _ = with_people(tracked(repaired(2), start=base), {name: ours}, NOW)
    other, _ = with_people(tracked(broken(3), start=base), {name: theirs}, NOW)
    both = merge(one, other)
    assert both == merge(other, one)
    assert merge(both, both) == both
    assert both.runs == ("run-1", "run-2", "run-3")
    merged = issue(both, "TSK001")
    assert set(merged.history) == {*issue(one, "TSK001").history, *issue(other, "TSK001").history}
    for text in (ours, theirs):
        assert {line.strip() for line in text.split("\n")} <= {line.strip() for line in merged.human.split("\n")} | {""}


def test_two_texts_of_one_block_become_one() -> None:
    assert together("a\n", "b\n") == "a\n\nb\n"
    assert together("a\n", "bad a\n") == "a\n\nbad a\n"
    assert together("a\n", "a\n") == together("", "a\n") == together(EMPTY, "a\n") == "a\n"
    name = "RCA-0123ab"
    conflict = f"<<<<<<< ours\n{block(name, 'one')}\n=======\n{block(name, 'two')}\n>>>>>>> theirs\n"
    assert blocks_in(conflict) == {name: "one\n\ntwo\n"}


def test_an_unfinished_merge_in_the_file_is_finished(tmp_path: Path) -> None:
    one, other = tracked(broken(), repaired(2)), tracked(broken(), broken(3))
    for name, text in (("base", dumps(tracked(broken()))), ("one", dumps(one)), ("other", dumps(other))):
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        ["git", "merge-file", "-p", "--diff3", "one", "base", "other"], cwd=tmp_path, capture_output=True, text=True
    )
    assert "<<<<<<<" in done.stdout
    (tmp_path / "rca.json").write_text(done.stdout)
    assert load(tmp_path / "rca.json") == merge(one, other)


def test_what_is_no_tracker_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "rca.json").write_text('{"issues": 1}')
    with pytest.raises(TrackerError, match="take an older version"):
        load(tmp_path / "rca.json")
    assert load(tmp_path / "missing.json") == Tracker()


def test_the_same_tracker_gives_the_same_bytes_and_reads_back() -> None:
    tracker = tracked(witnessed(1), repaired(2, PROOF))
    assert loads(dumps(tracker), Path("x")) == tracker
    assert render(tracker) == render(loads(dumps(tracker), Path("x")))


def test_the_command_takes_in_recorded_runs_and_keeps_what_people_wrote(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    store.save(broken(1))

    def call() -> str:
        words = ["tracker", "--path", str(tmp_path)]
        return CliRunner().invoke(doctor, words, standalone_mode=False, catch_exceptions=False).output

    assert "open issues, 0 closed" in call()
    page = tmp_path / "docs" / "RCA_TRACKER.md"
    page.write_text(page.read_text().replace("owner:\nstatus:\n", "owner: me\nMine.\n", 1))
    mine = page.read_text()
    call()
    assert page.read_text() == mine.replace("| root | – |", "| root | me |", 1)
    store.save(repaired(2, PROOF))
    assert "0 open issues" in call()
    assert "owner: me\nMine.\n" in page.read_text()
    assert '"human": "owner: me\\nMine.\\n"' in (tmp_path / "rca.json").read_text()


@pytest.mark.parametrize(
    "text, shown",
    [
        ("`score` cannot | be", "`score` cannot \\| be"),
        ("a `b|c` d", "a `b¦c` d"),
        ("<script>x</script> --> %%", "\\<script\\>x\\</script\\> \\--\\> \\%%"),
        ("- one\n# two", "\\- one # two"),
        ("``` open", "''' open"),
        ("[x](javascript:1) **b** _c_ snake_case", "\\[x\\](javascript:1) \\*\\*b\\*\\* \\_c\\_ snake_case"),
        ("<!-- doctor:human RCA-0123ab -->", "\\<!\\-- doctor:human RCA-0123ab \\--\\>"),
        ("\x1b[31mred\u202e", "red"),
    ],
)
def test_text_of_the_target_means_nothing_in_markdown(text: str, shown: str) -> None:
    assert escape(text) == shown


def test_an_issue_shows_the_requests_that_its_lines_name():
    run = broken()
    (root, *_) = run.diagnosis.roots
    lines = Witness(
        "x", "it failed", Severity.ERROR, 3, "", "", "w.log:1", "x", root.findings, (), ("GET /api/topics",)
    )
    page = render(updated(Tracker(), replace(run, diagnosis=replace(run.diagnosis, witnesses=(lines,)))))
    assert page.count("- Endpoints: GET /api/topics") == 2  # of the root, and of the lines themselves


def test_closed_issues_are_summed_up_the_latest_first_and_none_is_left_out():
    tracker = updated(updated(Tracker(), broken(1)), repaired(2, PROOF))
    closed = [issue for issue in tracker.issues.values() if issue.status is IssueStatus.RESOLVED]
    (first, *others) = closed
    moved = replace(first.history[-1], at=first.history[-1].at + timedelta(days=1), reason="a | later reason")
    later = replace(first, history=(*first.history[:-1], moved))
    page = render(replace(tracker, issues={**tracker.issues, later.key: later}))
    archive = page.partition("## Closed issues\n\n")[2].partition("\n\n")[0].splitlines()[2:]
    assert len(archive) == len(closed) > 2
    assert archive[0].startswith(f"| [{later.id}](#{later.id.lower()}) | ")
    assert archive[0].endswith("a \\| later reason |")
    assert all(any(f"[{one.id}]" in line for line in archive) for one in others)
