"""A task is withdrawn only when it is about canaries and about nothing else."""

import json
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doctor import canary_tasks
from doctor.canary_tasks import Settled, TaskQueue, Traces

TASK = "app.tasks.scoring:score_message_task"
TRACES = Traces(
    words=("canary-00ff00ff00", "-1000000000042", "9e3d0f2c-5b43-4d0e-8c6f-2f2f4b1f2c11"),
    keys={TASK: frozenset({"17", "18"}), "app.tasks.embedding:embed_messages_batch_task": frozenset({"17", "18"})},
)


def task(name: str, *args: Any, **kwargs: Any) -> bytes:
    return json.dumps({"task_id": "1", "task_name": name, "labels": {}, "args": args, "kwargs": kwargs}).encode()


@pytest.mark.parametrize(
    "payload",
    [
        task("any.module:save", {"text": "[canary-00ff00ff00-03] the disk is full"}),
        task("any.module:save", {"chat": {"id": -1000000000042}}),
        task("any.module:extract", extraction_id="9e3d0f2c-5b43-4d0e-8c6f-2f2f4b1f2c11"),
        task(TASK, 17),
        task(TASK, message_id=18),
        task("app.tasks.embedding:embed_messages_batch_task", [17, 18]),
        b"no JSON, but of canary-00ff00ff00",
    ],
)
def test_a_task_of_the_canaries_is_recognised(payload: bytes) -> None:
    assert TRACES.are_in_task(payload)


@pytest.mark.parametrize(
    "payload",
    [
        task(TASK, 19),
        task(TASK, message_id=1),
        task("another.module:task", 17),
        task("app.tasks.embedding:embed_messages_batch_task", [17, 18, 19]),
        task(TASK),
        b"",
        b"\xff\x00",
        b"[]",
        b'{"task_name": ["x"], "args": 3, "kwargs": null}',
    ],
)
def test_a_task_of_anybody_else_is_not(payload: bytes) -> None:
    assert not TRACES.are_in_task(payload)


@pytest.mark.parametrize(
    ("arguments", "theirs"), [('{"message_id": 17}', True), ('{"message_id": 19}', False), ("{}", False), ("", False)]
)
def test_a_dead_letter_is_judged_by_the_same_rule(arguments: str, theirs: bool) -> None:
    assert TRACES.are_in_letter(TASK, arguments) is theirs


@given(st.binary(max_size=200))
def test_any_bytes_are_judged_without_an_error(payload: bytes) -> None:
    assert TRACES.are_in_task(payload) is any(word.encode() in payload for word in TRACES.words)


@dataclass
class Server:
    """A stand-in for the server: the payloads that its stream holds."""

    held: list[bytes]
    withdrawn: list[bytes] = field(default_factory=list)

    async def next_message(self, _stream: str, _subject: str, sequence: int) -> Any:
        return SimpleNamespace(sequence=sequence, data=self.held[sequence - 1]) if sequence <= len(self.held) else None

    async def consumers(self, _stream: str) -> list[Any]:
        return []

    async def delete_message(self, message: Any) -> None:
        self.withdrawn.append(message.data)


async def test_a_task_that_another_sent_while_the_traces_were_read_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canary_tasks, "STANDSTILL", 0.0)
    sent = task("any.module:extract", extraction_id="9e3d0f2c-5b43-4d0e-8c6f-2f2f4b1f2c11")
    server: Any = Server([task("any.module:save", "canary-00ff00ff00")])
    known = [Traces(("canary-00ff00ff00",), {})]

    async def traces() -> Traces:
        server.held = [sent]  # the one that was there has ended
        return known.pop() if known else TRACES

    assert await TaskQueue(server, "stream", "subject", 1).settle(traces) == Settled(1, 0)
    assert server.withdrawn == [sent]
