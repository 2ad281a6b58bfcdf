"""The page is one file that asks for nothing, and no text from outside can break its form."""

from __future__ import annotations

import re
from functools import cache
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doctor.model import Run
from doctor.record import loads
from doctor.report import Presentation
from doctor.reports import html
from tests.documents import EXAMPLE
from tests.example_runs import DIFF, repaired_run, run_of, three_in_series
from tests.reports.hostile import HOSTILE, hostile_story

VOID = {"meta", "link"}


class Page(HTMLParser):
    """What a page consists of: its elements, their attributes, and its text."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(document)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self._open.append(tag)
        is_quoted = tag == "code" or (tag == "span" and "pre" in self._open)
        if not is_quoted:
            self.elements.append(tag)
        self.attributes += [(name, value or "") for name, value in attributes]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.text += data


def rendered(run: Run) -> str:
    return html.render(run, Presentation())


@cache
def harmless() -> list[str]:
    return Page(rendered(hostile_story("harmless"))).elements


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_from_outside_changes_the_form_of_the_page(text: str):
    assert Page(rendered(hostile_story(text))).elements == harmless()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from([*"<>&\"'`= /-!", "script", "style", "</", "<!--", "]]>", "&lt;", "\0"])).map("".join))
def test_no_text_at_all_does(text: str):
    assert Page(rendered(hostile_story(text))).elements == harmless()


def test_text_from_outside_is_shown_as_it_is():
    assert "<script>alert(1)</script> a | b" in Page(rendered(hostile_story("<script>alert(1)</script> a | b"))).text


def test_characters_that_turn_or_hide_text_are_left_out():
    page = rendered(hostile_story("a\u202eb\x1b[31mc\x00d\x9be"))
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", page)


def test_the_page_asks_for_nothing_and_runs_nothing():
    page = Page(rendered(loads(EXAMPLE.read_bytes())))
    assert not {"script", "img", "iframe", "object", "embed", "form", "base"} & set(page.elements)
    links = {value for name, value in page.attributes if name in ("href", "src", "srcset", "action")}
    assert {link for link in links if not link.startswith("#")} == {"data:,"}
    assert not [name for name, _ in page.attributes if name.startswith("on") or name == "style"]
    style = re.search(r"<style>(.*?)</style>", rendered(repaired_run()), re.DOTALL)
    assert style is not None
    assert not re.search(r"url\(|@import|https?:", style[1])


def test_the_policy_of_the_page_allows_its_own_style_and_nothing_else():
    document = rendered(repaired_run())
    style = re.search(r"<style>(.*?)</style>", document, re.DOTALL)
    policy = next(value for name, value in Page(document).attributes if value.startswith("default-src"))
    assert style is not None
    assert policy.startswith(f"default-src 'none'; style-src '{html.hash_of(style[1])}'")
    assert "unsafe" not in policy


def test_every_link_leads_to_a_place_in_the_page():
    page = Page(rendered(repaired_run()))
    places = {value for name, value in page.attributes if name == "id"}
    targets = {value[1:] for name, value in page.attributes if name == "href" and value.startswith("#")}
    assert len(targets) > 20
    assert targets <= places


def test_no_two_places_of_a_page_have_one_name():
    names = [value for name, value in Page(rendered(repaired_run())).attributes if name == "id"]
    assert sorted(names) == sorted(set(names))


def test_the_page_tells_what_the_markdown_tells():
    text = " ".join(Page(rendered(repaired_run())).text.split())
    for part in (
        "repaired: 3 root causes (task-decorator-order, agent-config-missing, model-not-available) removed",
        "score_message_task cannot be enqueued: @task_retry_with_dlq stands above @broker.task",
        "15 messages went through every stage",
        "hides",
        "silences",
        " ".join(DIFF.split()),
    ):
        assert part in text


def test_a_page_without_anything_wrong_and_one_of_nothing_at_all_are_pages_too():
    for run in (run_of(()), run_of((), chain=None), run_of(three_in_series())):
        assert Page(rendered(run)).elements[:2] == ["html", "head"]
