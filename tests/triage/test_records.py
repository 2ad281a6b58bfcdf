"""Lines that belong together become one record; others do not."""

from tests.triage.log_files import records

HEAD = "2026-11-20 19:45:15.717 | ERROR    | app.tasks:score:15 - failed"
TRACEBACK = [
    "Traceback (most recent call last):",
    '  File "/srv/app/tasks.py", line 15, in score',
    "    run()",
    "    ~~~^^",
    "",
    "KeyError: 'x'",
]


def test_a_traceback_belongs_to_the_line_before_it() -> None:
    first, second = records(HEAD, *TRACEBACK, HEAD)
    assert first.extra == TRACEBACK
    assert second.extra == []
    assert (first.number, second.number) == (1, 8)


def test_a_traceback_without_a_header_is_a_record_of_its_own() -> None:
    found = records("starting", *TRACEBACK, "goes on", *TRACEBACK)
    assert [one.message for one in found] == ["starting", "goes on"]
    assert found[0].extra[0] == TRACEBACK[0]
    (alone,) = records(*TRACEBACK)
    assert alone.message == TRACEBACK[0]
    assert alone.extra == TRACEBACK[1:]


def test_a_chain_of_exceptions_stays_together() -> None:
    chain = [*TRACEBACK, "", "During handling of the above exception, another exception occurred:", "", *TRACEBACK]
    assert len(records("starting", *chain, "goes on")) == 2


def test_lines_without_a_header_are_records_where_many_have_none() -> None:
    assert len(records("one", "two", "  of two", "three")) == 3


def test_lines_without_a_header_belong_to_the_record_before_where_few_have_none() -> None:
    lines = [HEAD] * 30
    lines.insert(3, "SELECT 1")
    assert records(*lines)[2].extra == ["SELECT 1"]


def test_a_known_line_is_not_swallowed() -> None:
    lines = [HEAD] * 30
    lines.insert(3, "known trouble")
    found = records(*lines, wakes=lambda line: line.startswith("known"))
    assert [one.message for one in found][3] == "known trouble"


def test_an_endless_traceback_is_kept_in_part() -> None:
    (found,) = records(HEAD, *TRACEBACK[:1], *(f"  line {number}" for number in range(10_000)))
    assert len(found.extra) < 500
    assert found.dropped + len(found.extra) == 10_001


def test_a_logging_error_begins_a_record() -> None:
    found = records(
        HEAD, "--- Logging error ---", *TRACEBACK, "Call stack:", '  File "x.py", line 1, in f', "Message: 'a %s'"
    )
    assert [one.message for one in found] == ["failed", "--- Logging error ---"]
