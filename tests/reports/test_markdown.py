"""The root-cause report tells one run from the verdict to the proof, and no text from outside can break its form."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from doctor.model import (
    CheckResult,
    Confidence,
    Evidence,
    EvidenceKind,
    FixOption,
    RepairStatus,
    Resource,
    Run,
    Severity,
    Status,
)
from doctor.report import Presentation
from doctor.reports.markdown import REPORT, escape, fenced
from doctor.reports.markdown import line as beginning
from tests.example_runs import (
    DIFF,
    agent_inactive,
    enqueue_swallowed,
    healthy,
    model_missing,
    repair,
    repaired_run,
    result,
    run_of,
    stalled,
    three_in_series,
)
from tests.reports.hostile import HOSTILE, hostile_story

PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def rendered(run: Run) -> str:
    return REPORT.render(run, Presentation())


def escaped_tokens(text: str) -> list[Token]:
    """Return what a reader of Markdown makes of an escaped text in the middle of a line."""
    (inline,) = [token for token in PARSER.parse(f"x {escape(text)} x") if token.type == "inline"]
    return list(inline.children or [])


pieces = st.lists(
    st.sampled_from([*"`|*_~[]()<>!#\\&;-+.: ", "``", "```", "](", "<b>", "<!--", "&lt;", "http://x", "a", "1.", "\n"]),
    max_size=14,
).map("".join)


@settings(max_examples=600, deadline=None)
@given(pieces)
@example("`a`` <b> ```")
@example("``a` <b> `c``")
def test_escaped_text_is_text_and_code_and_nothing_else(text: str):
    blocks = [token.type for token in PARSER.parse(f"x {escape(text)} x")]
    assert blocks == ["paragraph_open", "inline", "paragraph_close"]
    assert {token.type for token in escaped_tokens(text)} <= {"text", "code_inline", "text_special"}


@settings(max_examples=300, deadline=None)
@given(
    st.text(st.characters(exclude_characters="`", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=30) | pieces
)
def test_escaped_text_reads_as_it_was(text: str):
    seen = "".join(token.content for token in escaped_tokens(text))
    assert without_backticks(seen) == without_backticks(f"x {' '.join(text.split())} x")


def without_backticks(text: str) -> str:
    return re.sub(r"\s+", "", text.replace("`", "").replace("'", ""))


@settings(max_examples=300, deadline=None)
@given(pieces)
def test_escaped_text_stays_in_its_cell(text: str):
    table = f"| a | b |\n|---|---|\n| {escape(text)} | end |\n"
    tokens = PARSER.parse(table)
    assert [token.type for token in tokens].count("td_open") == 2
    inlines = [token.content for token in tokens if token.type == "inline"]
    assert inlines[-1] == "end"


@pytest.mark.parametrize("text", HOSTILE)
def test_escaped_text_at_the_start_of_an_item_opens_nothing(text: str):
    types = [token.type for token in PARSER.parse(f"- {beginning(text)}\n")]
    assert types == [
        "bullet_list_open",
        "list_item_open",
        "paragraph_open",
        "inline",
        "paragraph_close",
        "list_item_close",
        "bullet_list_close",
    ]


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("`~\n a-"), max_size=30) | st.sampled_from(HOSTILE))
def test_a_fence_holds_its_text_whole(text: str):
    tokens = PARSER.parse(fenced(text, "sql") + "\n\nafter\n")
    assert [token.type for token in tokens] == ["fence", "paragraph_open", "inline", "paragraph_close"]
    lines = re.split(r"\r\n|\r|\n", text.rstrip())
    assert tokens[0].content.split("\n")[:-1] == lines


def form(document: str) -> list[tuple[str, str]]:
    """Return the blocks of a document, without what is written in them."""
    return [(token.type, token.tag) for token in PARSER.parse(document) if token.type != "inline"]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_from_outside_changes_the_form_of_the_report(text: str):
    document = rendered(hostile_story(text))
    assert form(document) == form(rendered(hostile_story("harmless")))


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_from_outside_becomes_html_a_link_or_an_image(text: str):
    inlines = [token for token in PARSER.parse(rendered(hostile_story(text))) if token.type == "inline"]
    kinds = {child.type for token in inlines for child in token.children or ()}
    assert kinds <= {"text", "code_inline", "text_special", "softbreak", "strong_open", "strong_close"}


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_shown_as_code_is_shown_whole(text: str):
    tokens = PARSER.parse(rendered(hostile_story(text)))
    diffs = [token.content for token in tokens if token.type == "fence" and token.info == "diff"]
    assert len(diffs) == 3
    for diff in diffs:
        assert diff.startswith(DIFF)
        assert "".join(diff.split()) == "".join((DIFF + text).split())


def test_a_diff_keeps_its_empty_lines():
    preview = "--- a.py\n+++ a.py\n-x\n\n\n\n+y\n"
    document = rendered(replace(run_of(three_in_series()), repairs=(repair(model_missing(), preview=preview),)))
    assert preview in document


def test_a_path_with_a_backtick_is_still_a_path():
    found = replace(agent_inactive(), resource=Resource("task", "a", "app/`x`|y.py", 3))
    document = rendered(run_of((result("AGT001", found),)))
    assert form(document) == form(rendered(run_of((result("AGT001", agent_inactive()),))))


# What it tells.


def headings(document: str) -> list[str]:
    return re.findall(r"^## (.+)$", document, re.MULTILINE)


def test_the_report_of_a_repaired_incident_tells_the_whole_story():
    document = rendered(repaired_run())
    assert headings(document) == [
        "Status",
        "Summary",
        "Impact",
        "How it hangs together",
        "Root causes",
        "What follows from them",
        "Left over from before",
        "Ruled out",
        "Not known",
        "Also seen",
        "Fixes",
        "State of the systems",
        "End to end",
        "Database and logs",
        "Before and after",
        "Success criteria",
        "Files modified",
        "Timeline",
        "Prevention",
        "How to watch for it",
        "Lessons",
        "Appendix",
    ]
    verdict = "repaired: 3 root causes (task-decorator-order, agent-config-missing, model-not-available) removed"
    assert f"**{verdict}; proved end to end**" in document


def rows(document: str, heading: str) -> list[list[str]]:
    """Return the cells of the table under a heading, without its head."""
    section = document.partition(f"\n## {heading}\n\n")[2].partition("\n\n")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


def test_the_success_criteria_are_the_roots_the_effects_the_damage_the_repairs_and_the_proof():
    assert rows(rendered(repaired_run()), "Success criteria") == [
        ["root cause 1, task-decorator-order, is gone", "yes"],
        ["its effect is gone: 15 rows reached `scored` in the last 24 h, 0 passed it, 15 are stuck", "yes"],
        ["root cause 2, agent-config-missing, is gone", "yes"],
        ["root cause 3, model-not-available, is gone", "yes"],
        ["repaired: 237 of 252 rows of messages, older than 24 h, have no embedding", "yes"],
        ["every repair held", "yes"],
        *(
            [f"canaries {stage}: 15, at least 15 needed", "yes"]
            for stage in ("saved", "scored", "extracted", "embedded")
        ),
        ["the last check passes (healthy)", "yes"],
    ]


def test_repairs_that_were_taken_back_are_no_success():
    run = repaired_run()
    run = replace(run, repairs=(replace(run.repairs[0], status=RepairStatus.UNDONE), *run.repairs[1:]))
    text = rendered(run)
    assert "repaired, and 1 of 3 repairs taken back since**" in text
    assert "proved end to end" not in text.partition("## Status")[0]
    assert "`doctor check` says how it is now" in text


def test_a_criterion_that_was_not_met_is_bold():
    run = replace(repaired_run(), after=three_in_series(), repairs=(repair(model_missing(), RepairStatus.ROLLED_BACK),))
    met = dict(rows(rendered(run), "Success criteria"))
    assert met["root cause 1, task-decorator-order, is gone"] == "**no**"
    assert met["every repair held"] == "**no**"
    assert met["the last check passes (unhealthy)"] == "**no**"


def test_before_and_after_stand_side_by_side_for_every_check_that_changed():
    table = {row[0]: row[1:] for row in rows(rendered(repaired_run()), "Before and after")}
    assert list(table) == [
        "AGT001 agent-config-missing",
        "CHN001 chain-stalled",
        "EMB001 null-embeddings",
        "MOD001 model-not-available",
        "TSK001 task-decorator-order",
        "TSK002 enqueue-error-swallowed",
    ]
    before, after = table["CHN001 chain-stalled"]
    assert before.startswith("15 rows reached `scored`")
    assert after == "pass"


def test_the_state_of_the_systems_has_a_column_for_after_only_when_something_was_repaired():
    assert all(len(row) == 2 for row in rows(rendered(run_of(three_in_series())), "State of the systems"))
    table = {row[0]: row[1:] for row in rows(rendered(repaired_run()), "State of the systems")}
    assert table["source"] == ["3 findings: TSK001, TSK002", "ok: nothing found"]
    assert table["nats"] == ["ok: NATS 2.12, round trip 0.2 ms"] * 2


def test_a_run_without_findings_is_a_short_report():
    document = rendered(run_of(tuple(each for each in healthy() if each.code != "VEC001")))
    assert "**healthy: no root cause found**" in document
    assert headings(document) == [
        "Status",
        "Summary",
        "Impact",
        "Ruled out",
        "State of the systems",
        "How to watch for it",
        "Appendix",
    ]
    assert "None measured." in document
    assert "doctor check --select ALL" in document


def test_a_run_of_nothing_is_a_report_too():
    document = rendered(run_of((), chain=None))
    assert "**incomplete: no root cause found**" in document


def test_one_root_cause_is_told_in_the_singular():
    document = rendered(run_of((result("AGT001", agent_inactive()), result("CHN001", stalled("extracted")))))
    assert "**unhealthy: 1 root cause: agent-config-missing**" in document
    assert "1 root cause" in document
    assert "1 root causes" not in document
    assert "independent" not in document


def test_what_could_not_be_told_is_not_left_out():
    unknown = CheckResult("WRK001", "worker-not-consuming", "worker", Status.UNKNOWN, reason="no answer within 5 s")
    document = rendered(run_of((unknown,)))
    assert "## Not known\n\n- WRK001 worker-not-consuming: no answer within 5 s\n" in document
    assert rows(document, "State of the systems") == [["worker", "could not tell"]]


def test_a_latent_root_says_behind_which_one_it_hides():
    document = rendered(run_of(three_in_series()))
    assert "latent: hidden behind root cause 1" in document
    assert "| latent behind | root cause 2 |" in document
    assert "R1 -. hides .-> R2" in document


def test_evidence_is_shown_with_its_source_and_how_sure_it_is():
    document = rendered(run_of(three_in_series()))
    assert "- code, app/tasks/scoring.py:16 (measured)" in document
    assert "@task_retry_with_dlq(max_attempts=3)" in document
    claimed = replace(agent_inactive(), evidence=(Evidence(EvidenceKind.CONFIG, "README", "it is said"),))
    assert "- config, README (measured)" in rendered(run_of((result("AGT001", claimed),)))


def test_a_confirmed_root_says_so():
    run = repaired_run()
    assert {root.confidence for root in run.diagnosis.roots} == {Confidence.CONFIRMED}
    assert rendered(run).count("| confidence | confirmed: ") == 3


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=20) | pieces)
def test_the_causal_graph_cannot_be_broken_by_a_symptom(text: str):
    run = hostile_story(text)
    graph = rendered(run).partition("```mermaid\n")[2].partition("\n```")[0]
    node = r"\w+(?:\(?\[\(?\"[\w .,:;/()%-]*\"\)?\]\)?)?"
    for line in graph.splitlines()[1:]:
        assert re.fullmatch(rf"    {node}(?: (?:-->|-\. \w+ \.->) {node})?", line), line


def test_what_contributes_without_a_root_has_its_place_its_evidence_and_its_options():
    option = FixOption.by_hand("await the call", "only you know")
    lone = replace(enqueue_swallowed(), severity=Severity.ERROR, fixes=(option,))
    document = rendered(run_of((result("TSK002", lone),)))
    assert "**unhealthy: no root cause found; TSK002 would worsen one**" in document
    section = document.partition("## Contributes")[2].partition("\n## ")[0]
    for part in ("TSK002 (error) at `app/messages.py:40`", "evidence: asked: answered", "await the call (manual)"):
        assert part in section
