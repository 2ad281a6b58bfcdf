"""What cannot be judged is told at the end, and everything else is judged."""

from __future__ import annotations

import pytest

from doctor.check import CouldNotTellError
from doctor.gaps import Gaps
from doctor.resources.database import DatabaseUnreachable, QueryFailed
from doctor.resources.unreachable import Reason


def test_without_a_gap_there_is_nothing_to_tell() -> None:
    gaps = Gaps("counted", "column")
    with gaps.around("a"):
        pass
    gaps.tell()


def test_each_gap_is_told_with_its_reason_and_the_others_are_reached() -> None:
    gaps, reached = Gaps("judged", "query", "queries"), []
    for name in ("a", "b", "c"):
        with gaps.around(name):
            reached.append(name)
            if name != "b":
                raise QueryFailed(f"no {name}", "")
    gaps.add("d", "nobody asked")
    assert reached == ["a", "b", "c"]
    with pytest.raises(CouldNotTellError, match="^3 queries not judged: a: no a; c: no c; d: nobody asked$"):
        gaps.tell()


@pytest.mark.parametrize("error", [DatabaseUnreachable(Reason.REFUSED, "h:1", ""), KeyError("a bug")])
def test_a_server_that_is_away_and_a_bug_are_no_gap(error: Exception) -> None:
    with pytest.raises(type(error)), Gaps("counted", "column").around("a"):
        raise error
