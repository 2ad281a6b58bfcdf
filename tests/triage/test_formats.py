"""Each form of a line gives its time, level, logger and message."""

import json

import pytest

from doctor.triage.formats import FormatReader, Header
from doctor.triage.timestamps import Clock, shown

READER = FormatReader(frozenset({"logging", "level"}))
EXPECTED = [
    (
        "2026-11-20 19:45:15.717 | ERROR    | __main__:<module>:15 - msg",
        ("error", "__main__", "msg", "2026-11-20T19:45:15.717Z"),
    ),
    ("2026-11-20 19:45:16 | WARNING  | msg", ("warning", "", "msg", "2026-11-20T19:45:16Z")),
    (
        "2026-11-20 19:45:16 | ERROR    | req=- job=- user=- | app.tasks:score:12 - a | b",
        ("error", "app.tasks", "a | b", "2026-11-20T19:45:16Z"),
    ),
    ("ERROR:app.tasks.scoring:msg: with: colons", ("error", "app.tasks.scoring", "msg: with: colons", "")),
    ("2026-11-20 19:45:17,085 - app.tasks - ERROR - msg", ("error", "app.tasks", "msg", "2026-11-20T19:45:17.085Z")),
    ("2026-11-20 19:45:17,085 - ERROR - app.tasks - msg", ("error", "app.tasks", "msg", "2026-11-20T19:45:17.085Z")),
    ("2026-11-20 19:45:17,085 ERROR app.tasks: msg", ("error", "app.tasks", "msg", "2026-11-20T19:45:17.085Z")),
    ("2026-11-20 19:45:17,085 ERROR msg", ("error", "", "msg", "2026-11-20T19:45:17.085Z")),
    (
        "2026-11-20 19:45:17 [warning  ] task.queue_failed              error='x' task=score",
        ("warning", "", "task.queue_failed", "2026-11-20T19:45:17Z"),
    ),
    (
        'INFO:     127.0.0.1:45400 - "GET /x HTTP/1.1" 404 Not Found',
        ("info", "uvicorn", '127.0.0.1:45400 - "GET /x HTTP/1.1" 404 Not Found', ""),
    ),
    ("ERROR:    Exception in ASGI application", ("error", "uvicorn", "Exception in ASGI application", "")),
    ("[2026-11-20 19:46:01 +0100] [25210] [ERROR] msg", ("error", "", "msg", "2026-11-20T18:46:01Z")),
    (
        '127.0.0.1 - - [20/Nov/2026:19:46:01 +0000] "GET / HTTP/1.1" 500 12 "-" "curl"',
        ("error", "", '127.0.0.1 - "GET / HTTP/1.1" 500', "2026-11-20T19:46:01Z"),
    ),
    (
        "[2026-11-20 19:45:17,085][taskiq.receiver.receiver][INFO   ][worker-0] Executing task app:score with ID: 1",
        ("info", "taskiq.receiver.receiver", "Executing task app:score with ID: 1", "2026-11-20T19:45:17.085Z"),
    ),
    (
        '2026-11-20 19:45:17.085 UTC [123] ERROR:  relation "x" does not exist',
        ("error", "", 'relation "x" does not exist', "2026-11-20T19:45:17.085Z"),
    ),
    ("[1] 2026/11/20 19:45:17.085123 [ERR] no disk", ("error", "", "no disk", "2026-11-20T19:45:17.085Z")),
    (
        '[GIN] 2026/11/20 - 19:45:17 | 404 |     1.2ms |       127.0.0.1 | POST     "/api/chat"',
        ("warning", "", '"POST /api/chat" 404', "2026-11-20T19:45:17Z"),
    ),
    (
        'time=2026-11-20T19:45:17.085Z level=WARN source=routes.go:12 msg="no \\"x\\"" y=1',
        ("warning", "routes.go", 'no \\"x\\', "2026-11-20T19:45:17.085Z"),
    ),
    ("Nov 20 19:45:17 host sshd[123]: Failed", ("", "sshd", "Failed", "1970-11-20T19:45:17Z")),
    ("2026-11-20T19:45:17+01:00 anything", ("", "", "anything", "2026-11-20T18:45:17Z")),
    ("WARNING - old", ("warning", "", "old", "")),
]


@pytest.mark.parametrize("line, expected", EXPECTED, ids=[line[:30] for line, _ in EXPECTED])
def test_a_form_is_read(line: str, expected: tuple[str, str, str, str]) -> None:
    found = READER.read(line)
    assert found is not None
    header = found[1]
    told = shown(Clock().read(header.stamp)) if header.stamp else ""
    assert (header.level, header.logger, header.message, told) == expected


def header(fields: object) -> Header:
    found = READER.read(json.dumps(fields))
    assert found is not None
    assert found[0] == "json"
    return found[1]


def test_the_source_that_loguru_names_is_kept() -> None:
    found = READER.read("2026-11-20 19:45:15.717 | ERROR    | app.tasks:score.<locals>.run:15 - msg")
    assert found is not None
    assert found[1][4:6] == ("score.<locals>.run", 15)


def test_the_traceback_of_a_serialized_record_stands_in_its_text() -> None:
    found = header(
        {
            "text": "x\nTraceback (most recent call last):\nKeyError: 1\n",
            "record": {
                "message": "x",
                "level": {"name": "ERROR"},
                "time": {"repr": "2026-11-20 19:45:15.717+00:00", "timestamp": 1},
                "name": "app.tasks",
                "function": "score",
                "line": 7,
                "extra": {"request_id": "r1"},
            },
        }
    )
    assert found.extra[:2] == ("Traceback (most recent call last):", "KeyError: 1")
    assert (found.level, found.logger, found.function, found.line) == ("error", "app.tasks", "score", 7)
    assert found.context == "request_id=r1"


def test_structlog_gives_a_traceback_as_text_or_as_dictionaries_without_their_locals() -> None:
    frames = [{"filename": "app/x.py", "lineno": 3, "name": "f", "locals": {"password": "hunter2"}}]
    listed = header(
        {
            "event": "failed",
            "level": "error",
            "timestamp": "2026-11-20T19:45:17Z",
            "exception": [{"exc_type": "KeyError", "exc_value": "1", "frames": frames}],
        }
    )
    assert listed.extra == ("Traceback (most recent call last):", '  File "app/x.py", line 3, in f', "KeyError: 1")
    assert "hunter2" not in str(listed)
    assert header({"event": "x", "level": "error", "exception": "a\nb"}).extra == ("a", "b")


@pytest.mark.parametrize(
    "line", ["{}", "{not json}", '{"a": 1}', "[1, 2]", '{"message": "x"}', "  indented", "", "{" * 5000]
)
def test_what_is_no_header_is_none(line: str) -> None:
    assert READER.read(line) is None


def test_weak_forms_count_only_where_they_are_wanted() -> None:
    strict = FormatReader()
    assert strict.read("ERROR:app:msg") is None
    assert strict.read("WARNING - msg") is None
    assert strict.read("2026-11-20 19:45:17,085 - app - ERROR - msg") is not None


def test_a_clock_without_dates_passes_midnight() -> None:
    clock = Clock()
    late, early = clock.read("23:59:59"), clock.read("00:00:01")
    assert late is not None
    assert early is not None
    assert early - late == 2
    assert clock.lacks_date


@pytest.mark.parametrize(
    "stamp", ["2026-13-01 00:00:00", "2026-02-30 10:00:00", "25:00:00", "x", "2026-11-20 99:99:99"]
)
def test_what_is_no_time_is_none(stamp: str) -> None:
    assert Clock().read(stamp) is None
