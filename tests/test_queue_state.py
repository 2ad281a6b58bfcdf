"""Which subjects a stream takes in, as the server itself decides."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doctor.queue_state import carries

parts = st.text("ab", min_size=1, max_size=2)
subjects = st.lists(parts, min_size=1, max_size=4).map(".".join)


@pytest.mark.parametrize(
    ("pattern", "subject", "taken"),
    [
        ("tasks", "tasks", True),
        ("tasks", "tasks.new", False),
        ("tasks.*", "tasks.new", True),
        ("tasks.*", "tasks", False),
        ("tasks.*", "tasks.new.one", False),
        ("tasks.>", "tasks.new.one", True),
        ("tasks.>", "tasks", False),
        (">", "tasks", True),
        ("*", "tasks", True),
        ("*.new", "tasks.new", True),
    ],
)
def test_wildcards_stand_for_one_part_or_for_the_rest(pattern: str, subject: str, taken: bool):
    assert carries(pattern, subject) is taken


@given(subjects)
def test_a_subject_takes_in_itself_and_is_taken_in_by_the_rest(subject: str):
    assert carries(subject, subject)
    assert carries(">", subject)
    assert not carries(subject, f"{subject}.more")
