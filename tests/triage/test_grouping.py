"""Records of one origin form one group, with an id that depends on nothing else; nothing secret is kept."""

from __future__ import annotations

import random
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doctor.log_summary import LogSummary
from tests.test_redaction import SECRETS
from tests.triage.log_files import summary, written

SOURCE = """\
from loguru import logger


def score(task, error, model):
    logger.error("Task {} failed: {}", task, error)
    logger.warning("HF structured model not found: %s. Trying fallback model.", model)
"""
TRACEBACK = """\
{time} | ERROR    | app.tasks:score:5 - Task {number} failed: boom
Traceback (most recent call last):

  File "/srv/app/tasks.py", line {number}, in score
    run()

KeyError: 'item {number}'

"""


RAISED = """\
2026-11-20 19:00:00,000 - app - ERROR - failed
Traceback (most recent call last):
  File "x.py", line 1, in f
ValueError: {}
"""


def line(second: int, message: str, level: str = "INFO") -> str:
    return f"2026-11-20 19:{second // 60:02d}:{second % 60:02d}.000 | {level:<8} | app.tasks:score:1 - {message}\n"


MIXED = [
    *(line(second, f"Saved {second} messages in {second / 7:.3f} s") for second in range(40)),
    *(line(second, f"Task {second} failed: error {second}", "ERROR") for second in range(0, 40, 3)),
    *(
        line(second, "Failed to queue scoring task: 'function' object has no attribute 'kiq'", "WARNING")
        for second in (3, 9)
    ),
    *(TRACEBACK.format(time=f"2026-11-20 19:01:{number:02d}.000", number=number) for number in range(5)),
]


def without_places(found: LogSummary) -> dict:
    """Return everything but the numbers of lines, which do change when lines change places."""

    def plain(value):
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items() if key != "line" and key != "source"}
        return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value

    return plain(asdict(replace(found, inputs=())))


@settings(max_examples=10, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_records_changes_nothing(tmp_path_factory, random: random.Random) -> None:
    folder = tmp_path_factory.mktemp("logs")
    other = list(MIXED)
    random.shuffle(other)
    expected = summary(written(folder, "".join(MIXED)))
    assert without_places(summary(written(folder, "".join(other), "worker.txt"))) == without_places(expected)


def test_two_files_tell_what_one_tells(tmp_path: Path) -> None:
    whole = summary(written(tmp_path, "".join(MIXED)))
    first, second = (
        written(tmp_path, "".join(MIXED[::2]), "worker.1.log"),
        written(tmp_path, "".join(MIXED[1::2]), "worker.2.log"),
    )
    assert without_places(summary(second, first)) == without_places(whole)


def test_an_exception_is_one_group_whatever_its_values_and_lines(tmp_path: Path) -> None:
    found = [group for group in summary(written(tmp_path, "".join(MIXED))).groups if group.kind == "exception"]
    assert [(group.occurrences.count, group.frames) for group in found] == [(5, ("app.tasks:score",))]
    assert found[0].template == "KeyError | app.tasks:score | 'item <*>'"


def test_lines_are_grouped_by_the_call_that_wrote_them(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "tasks.py").write_text(SOURCE)
    texts = [
        line(number, f"Task {name} failed: {name} is away", "ERROR")
        for number, name in enumerate(["nats", "llm", "db"])
    ]
    found = summary(written(tmp_path, "".join(texts)), source=source)
    (group,) = found.groups
    assert (group.kind, group.template, group.occurrences.count) == ("source", "Task {} failed: {}", 3)
    assert [(site.path, site.line, site.function) for site in group.sites] == [("tasks.py", 5, "tasks.score")]
    assert found.call_sites == 2


def test_a_line_that_lost_its_arguments_leads_to_the_call_that_lost_them(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "tasks.py").write_text(SOURCE)
    lost = line(1, "HF structured model not found: %s. Trying fallback model.", "WARNING")
    found = summary(written(tmp_path, lost), source=source)
    (site,) = found.groups[0].sites
    assert (site.line, site.lost) == (6, True)
    assert [issue.signature for issue in found.issues] == ["hf-model-not-found", "template-not-filled-in"]


def test_of_too_many_groups_the_same_ones_are_kept_in_any_order(tmp_path: Path) -> None:
    words = [f"{a}{b}{c}" for a in "bcdfg" for b in "aeiou" for c in "lmnrt"]
    lines = [line(number, f"Something {word} happened") for number, word in enumerate(words)]
    lines += [line(1, "Everything failed badly", "ERROR")]
    one = summary(written(tmp_path, "".join(lines)), room=20)
    other = summary(written(tmp_path, "".join(reversed(lines)), "b.log"), room=20)
    assert [group.id for group in one.groups] == [group.id for group in other.groups]
    assert one.unkept_records == other.unkept_records == len(lines) - 20
    assert "Everything failed badly" in [group.template for group in one.groups]


def test_no_secret_is_kept_anywhere(tmp_path: Path) -> None:
    secrets = [(text.replace("~", ""), secret.replace("~", "")) for text, secret, _ in SECRETS if "\n" not in text]
    texts = [line(number, text, "ERROR") for number, (text, _) in enumerate(secrets)]
    texts += [RAISED.format(text) for text, _ in secrets]
    shown = str(asdict(summary(written(tmp_path, "".join(texts)))))
    assert [secret for _, secret in secrets if secret in shown] == []
    assert sum(summary(written(tmp_path, "".join(texts))).redactions.values()) >= 2 * len(secrets)


def test_what_happens_at_the_same_moments_is_told_together(tmp_path: Path) -> None:
    lines = []
    for second in range(0, 3000, 60):
        lines += [line(second, "Cannot reach the model", "ERROR"), line(second, "Extraction stopped", "ERROR")]
        lines += [line(second + 30, "Disk is full", "ERROR")]
    groups = {group.template: group for group in summary(written(tmp_path, "".join(lines))).groups}
    assert groups["Cannot reach the model"].together == (groups["Extraction stopped"].id,)
    assert groups["Disk is full"].together == ()


def test_a_request_that_fails_is_told_with_its_exception(tmp_path: Path) -> None:
    text = (
        "ERROR:    Exception in ASGI application\nTraceback (most recent call last):\n"
        '  File "/srv/app/main.py", line 3, in read\nKeyError: 1\n'
        'INFO:     127.0.0.1:45400 - "GET /items/7?x=1 HTTP/1.1" 500 Internal Server Error\n'
    )
    group = next(one for one in summary(written(tmp_path, text)).groups if one.kind == "exception")
    assert group.endpoints == ("GET /items/7",)


def test_the_rate_shows_when(tmp_path: Path) -> None:
    lines = [line(second, "tick") for second in (0, 1, 59, 60, 185)]
    (group,) = summary(written(tmp_path, "".join(lines))).groups
    rate = group.occurrences.rate
    assert (rate.start, rate.seconds, rate.counts) == ("2026-11-20T19:00:00Z", 60, (3, 1, 0, 1))
    assert (group.occurrences.first, group.occurrences.last) == ("2026-11-20T19:00:00Z", "2026-11-20T19:03:05Z")


KEY = [
    "-----BEGIN RSA PRI~VATE KEY-----",
    "MIIEowIBAAKCAQEAabc+/12",
    "b3BlbnNzaC1rZXktdjEAAAAA",
    "-----END RSA PRI~VATE KEY-----",
]


@pytest.mark.parametrize("form", ["{}", "2026-11-20 19:45:15.717 | INFO     | a:b:1 - {}", "worker-1  | {}"])
def test_a_private_key_goes_also_where_its_lines_arrive_one_by_one(tmp_path: Path, form: str) -> None:
    lines = [form.format(line.replace("~", "")) for line in ("key follows", *KEY, "goes on as before", "and on")]
    shown = str(asdict(summary(written(tmp_path, "\n".join(lines)))))
    assert not any(secret in shown for secret in KEY[1:3])
    assert "goes on as before" in shown


@pytest.mark.parametrize(
    "form",
    [
        '{{"log":"{}\\n","stream":"stderr","time":"2026-11-20T19:45:15.717Z"}}',
        "2026-11-20T19:45:15.717000000Z stderr F {}",
        "worker-1  | 2026-11-20T19:45:15.717000000Z {}",
    ],
)
def test_what_a_container_puts_around_lines_is_taken_off(tmp_path: Path, form: str) -> None:
    raised = ["ERROR:    Exception in ASGI application", "Traceback (most recent call last):", "KeyError: 1"]
    (group,) = summary(written(tmp_path, "\n".join(form.format(line) for line in raised))).groups
    assert group.exceptions == ("KeyError: 1",)
    assert (group.occurrences.count, group.occurrences.first) == (1, "2026-11-20T19:45:15.717Z")


def test_hostile_lines_cost_time_in_proportion_to_their_length(tmp_path: Path) -> None:
    hostile = [
        "19:45:16 | ERROR    | " + "a=" * 1000 + "!",
        "2026-11-20 19:45:17 " + "a.b " * 5000,
        "(" * 1900 + "a" + ")" * 1900,
        "a.a" * 600 + "1",
        "{" * 60_000,
        '"' * 60_000,
    ]
    assert summary(written(tmp_path, "\n".join(hostile))).records >= 5


def test_an_issue_names_the_requests_of_its_lines(tmp_path: Path) -> None:
    text = "Token verification failed for endpoint: GET /api/content-planning/monitoring/lightweight-stats"
    (issue,) = summary(written(tmp_path, line(0, f"AUTHENTICATION ERROR: {text}", "ERROR"))).issues
    assert issue.endpoints == ("GET /api/content-planning/monitoring/lightweight-stats",)
