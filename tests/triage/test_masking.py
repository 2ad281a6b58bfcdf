"""What varies goes, what tells one origin from another stays; the same message is always masked alike."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doctor.triage.masking import VALUE, Masker
from doctor.triage.merging import merged

EXPECTED = [
    (
        "Threshold reached (13 >= 10), queueing knowledge extraction for 13 by 'knowledge_extractor'",
        "Threshold reached (<*> >= <*>), queueing knowledge extraction for <*> by 'knowledge_extractor'",
    ),
    (
        "Failed to queue scoring task: 'function' object has no attribute 'kiq'",
        "Failed to queue scoring task: 'function' object has no attribute 'kiq'",
    ),
    ("StatReload detected changes in 'api\\today_workflow.py'.", "StatReload detected changes in '<*>'."),
    ("failed for endpoint: GET /api/x/y", "failed for endpoint: GET <*>"),
    ('127.0.0.1:45400 - "GET /x HTTP/1.1" 404 Not Found', '<*> - "GET <*>" <*> Not Found'),
    ("close, 1190 bytes (1.16 KB) sent", "close, <*> bytes sent"),
    ("ask 10.0.0.1:50010 to replicate blk_-16 to 10.0.0.2:1 10.0.0.3:1", "ask <*> to replicate <*> to <*>"),
    ("took 1.5 s, 300ms, 20%", "took <*>"),
    ("size=12 of model=qwen2:7b, ok", "size=<*> of model=<*>, ok"),
    ("[instance: b9000564-fe1a-409b-b8cc-1e88b294cd1d] ends", "[instance: <*>] ends"),
    ("mail someone@example.com or proxy.example.co.uk", "mail <*> or <*>"),
    ("module app.tasks.scoring and/or deadbeef", "module app.tasks.scoring and/or <*>"),
    ("password=<redacted:password#12ab> used", "password=<*> used"),
    ("jk2_init() found", "<*> found"),
    ("en0 joined aa:1b:ff:02:c3:d4 on fe80:ab::12", "<*> joined <*> on <*>"),
    ("dead:code of retry:3, face:0:retry", "dead:code of retry:<*>, face:<*>"),
    ("", ""),
]


@pytest.mark.parametrize("message, expected", EXPECTED)
def test_a_message_is_masked(message: str, expected: str) -> None:
    assert Masker().mask(message) == expected


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20)
MESSAGES = st.lists(WORDS, max_size=12).map(" ".join)


@given(MESSAGES)
def test_a_message_is_masked_alike_whatever_came_before(message: str) -> None:
    used = Masker()
    for other in ("1 2 3", message.upper(), message):
        used.mask(other)
    assert used.mask(message) == Masker().mask(message)


@given(MESSAGES)
def test_masking_again_changes_nothing(message: str) -> None:
    masked = Masker().mask(message)
    assert Masker().mask(masked) == masked


@given(st.lists(st.integers(), min_size=4, max_size=4), st.lists(st.integers(), min_size=4, max_size=4))
def test_other_numbers_give_the_same_mask(some: list[int], others: list[int]) -> None:
    form = "took {} of {} (x={}) in part {}"
    assert Masker().mask(form.format(*some)) == Masker().mask(form.format(*others))


def test_templates_that_differ_in_a_name_are_shown_as_one() -> None:
    names = ["root", "admin", "bob", "eve", "mallory"]
    some = [f"Failed password for {name} from {VALUE}" for name in names]
    shown = merged([*some, f"Accepted password for root from {VALUE}"])
    assert {shown[one] for one in some} == {f"Failed password for {VALUE} from {VALUE}"}
    assert shown[f"Accepted password for root from {VALUE}"] == f"Accepted password for root from {VALUE}"


def test_templates_that_differ_in_two_names_are_shown_as_one() -> None:
    states = ["NEW", "READY", "RUNNING", "DONE", "KILLED", "LOST"]
    some = [f"Task {VALUE} moved from {one} to {other}" for one, other in pairwise(states)]
    assert set(merged(some).values()) == {f"Task {VALUE} moved from {VALUE} to {VALUE}"}


def test_few_different_words_stay() -> None:
    some = ["job is up", "job is down"]
    assert dict(merged(some)) == {one: one for one in some}


@given(st.lists(st.lists(st.sampled_from("abcdefg"), min_size=3, max_size=3).map(" ".join), max_size=30), st.randoms())
def test_merging_does_not_depend_on_the_order(templates: list[str], random) -> None:
    other = list(templates)
    random.shuffle(other)
    assert merged(templates) == merged(other)
