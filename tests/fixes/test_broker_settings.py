"""One keyword is added to one call; the check is silent about it afterwards; a second time changes nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from doctor.api import Finding, Source
from doctor.checks.broker_settings import broker_settings
from doctor.fix import NothingToDoError, RefusedError
from doctor.fixes.broker_settings import with_setting

ONE_LINE = b'from taskiq_nats import NatsBroker\r\n\r\nbroker = NatsBroker("nats://localhost")  # ours\r\n'
IMPORT = b"from taskiq_nats import NatsBroker\n"
RUFF = Path(sys.executable).with_name("ruff")
SEVERAL = b"""\
# The queue.
from taskiq_nats import PullBasedJetStreamBroker

broker = PullBasedJetStreamBroker(
    "nats://localhost",
    durable="ours",  # kept
)
"""


def subjects(content: bytes, folder: Path) -> set[str]:
    (folder / "broker.py").write_bytes(content)
    found = broker_settings.detect(Source.read(folder))
    return {item.subject.rpartition(" ")[2] for item in found if isinstance(item, Finding)}


def test_a_queue_group_is_added_behind_the_address(tmp_path: Path) -> None:
    after = with_setting(ONE_LINE, 3, "queue", '"workers"')
    assert after == ONE_LINE.replace(b'"nats://localhost"', b'"nats://localhost", queue="workers"')
    assert subjects(ONE_LINE, tmp_path) == {"queue"}
    assert subjects(after, tmp_path) == set()


def test_a_time_out_gets_a_line_of_its_own_where_the_others_have_one(tmp_path: Path) -> None:
    after = with_setting(SEVERAL, 4, "pull_consume_timeout", "1")
    assert after == SEVERAL.replace(
        b'    durable="ours",  # kept\n', b'    durable="ours",  # kept\n    pull_consume_timeout=1,\n'
    )
    assert "pull_consume_timeout" not in subjects(after, tmp_path)


def test_a_longer_wait_brings_its_import_and_the_consumers_own_name(tmp_path: Path) -> None:
    after = with_setting(SEVERAL, 4, "ack_wait", "600")
    assert b"from nats.js.api import ConsumerConfig\n" in after
    assert b'consumer_config=ConsumerConfig(durable_name="ours", ack_wait=600)' in after
    ast.parse(after)
    assert "ack_wait" not in subjects(after, tmp_path)


@pytest.mark.parametrize(
    ("setting", "value"), [("queue", '"workers"'), ("pull_consume_timeout", "1"), ("ack_wait", "600")]
)
def test_a_second_time_changes_nothing(setting: str, value: str) -> None:
    after = with_setting(SEVERAL, 4, setting, value)
    line = next(number for number, text in enumerate(after.splitlines(), 1) if b"= PullBased" in text)
    with pytest.raises(NothingToDoError):
        with_setting(after, line, setting, value)


def test_a_broker_that_another_repair_moved_is_found_by_its_name(tmp_path: Path) -> None:
    plain = b"from taskiq_nats import PullBasedJetStreamBroker\n\nbroker = PullBasedJetStreamBroker()\n"
    after = with_setting(plain, 3, "ack_wait", "600", "broker")
    assert b"broker = PullBased" not in after.splitlines()[2]
    after = with_setting(after, 3, "pull_consume_timeout", "1", "broker")
    assert subjects(after, tmp_path) == {"stream_config"}


def test_a_setting_that_is_none_is_filled_in() -> None:
    after = with_setting(ONE_LINE.replace(b")", b", queue=None)"), 3, "queue", '"workers"', "broker")
    assert after == ONE_LINE.replace(b")", b', queue="workers")')


def test_of_two_brokers_of_one_name_only_the_one_on_the_line_counts() -> None:
    two = ONE_LINE + b"broker = NatsBroker()\r\n"
    assert with_setting(two, 4, "queue", "1", "broker") == two.replace(b"NatsBroker()", b"NatsBroker(queue=1)")
    with pytest.raises(RefusedError):
        with_setting(two, 5, "queue", "1", "broker")


def test_another_line_and_another_setting_are_refused() -> None:
    with pytest.raises(RefusedError):
        with_setting(ONE_LINE, 1, "queue", '"workers"')
    with pytest.raises(RefusedError):
        with_setting(ONE_LINE, 3, "stream_config", "None")
    with pytest.raises(RefusedError):
        with_setting(b"def", 1, "queue", '"workers"')


FORMATTED = {
    "nothing": "b = B()",
    "an empty pair of brackets on two lines": "b = B(\n)",
    "a comment behind the bracket": "b = B(  # ours\n)",
    "a comment between the brackets": "b = B(\n    # ours\n)",
    "an address": 'b = B("x")',
    "a comma and no blank": 'b = B("x",)',
    "one a line": 'b = B(\n    "x",\n    connect_timeout=1,\n)',
    "one a line, no comma at the end": 'b = B(\n    "x",\n    connect_timeout=1\n)',
    "one a line, no comma and a comment": 'b = B(\n    "x",\n    connect_timeout=1  # seconds\n)',
    "a comment at the end": 'b = B(\n    "x",  # ours\n    # that is all\n)',
    "in a function": 'def make():\n    return B(\n        "x",\n    )',
    "a line that gets too long": 'b = B("nats://a-rather-long-name.of-a-host.example.com:4222", connect_timeout=10)',
    "stars": "b = B(*hosts, **options)",
}


@pytest.mark.parametrize(("setting", "value"), [("pull_consume_timeout", "1"), ("ack_wait", "600")])
@pytest.mark.parametrize("made", FORMATTED.values(), ids=FORMATTED)
def test_a_formatter_leaves_the_repaired_file_as_it_is(made: str, setting: str, value: str) -> None:
    gap = "\n\n" if made.startswith("def") else "\n"
    content = (
        f"import os\n\nfrom taskiq import Context\nfrom taskiq_nats import PullBasedJetStreamBroker as B\n{gap}{made}\n"
    )
    line = next(number for number, text in enumerate(content.splitlines(), 1) if "B(" in text)
    after = with_setting(content.encode(), line, setting, value)
    assert formatted(after) == after


def test_an_argument_goes_under_those_that_are_lined_up_and_beside_those_that_share_a_line() -> None:
    start = IMPORT + b"broker = NatsBroker("
    lined_up = start + b'"x",\n                    name="y")\n'
    assert with_setting(lined_up, 2, "queue", "1") == lined_up.replace(b'"y"', b'"y",\n                    queue=1')
    shared = start + b'\n    "x", name="y"\n)\n'
    assert with_setting(shared, 2, "queue", "1") == shared.replace(b'"y"', b'"y", queue=1')


def formatted(content: bytes) -> bytes:
    """Return what Ruff makes of a file, as it formats and sorts imports unless told otherwise."""
    for command in (["check", "--select", "I", "--fix-only", "--quiet"], ["format"]):
        done = subprocess.run([RUFF, *command, "--isolated", "-"], input=content, capture_output=True, check=True)
        content = done.stdout
    return content


def test_a_last_line_without_an_end_may_become_several() -> None:
    content = (
        b"from taskiq_nats import PullBasedJetStreamBroker as Pull\nbroker = Pull('nats://x', stream_config=f(), a=1)"
    )
    changed = with_setting(content, 2, "ack_wait", "300", "broker")
    assert changed.endswith(
        b'\n    a=1,\n    consumer_config=ConsumerConfig(durable_name="taskiq_durable", ack_wait=300),\n)'
    )
    with pytest.raises(NothingToDoError):
        with_setting(changed, 2, "ack_wait", "300", "broker")
