import pytest

from doctor.wording import counted, span_of_time


def test_a_noun_follows_its_number():
    assert [counted(number, "row") for number in (0, 1, 2, 1_000)] == ["0 rows", "1 row", "2 rows", "1,000 rows"]
    assert counted(3, "batch", "batches") == "3 batches"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (99, "99 s"), (100, "2 min"), (5999, "100 min"), (7200, "2 h"), (360_000, "100 h")],
)
def test_a_time_to_wait_is_told_in_the_unit_that_fits(seconds, words):
    assert span_of_time(seconds) == words
