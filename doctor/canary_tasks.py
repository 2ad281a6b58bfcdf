"""The canaries' tasks: found in the queue, awaited, and withdrawn when nobody works on them.

A task that stays in the queue after a failed proof would run later, and bring the canaries back.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from doctor.resources.jetstream import StoredMessage
    from doctor.resources.nats import Nats

STANDSTILL = 2.0
"""Seconds without any change after which nobody seems to work on the canaries' tasks."""

PATIENCE = 15.0
"""Seconds after which tasks that are still at work are withdrawn, so that they are not delivered a second time."""

POLL = 0.1
MAX_MESSAGES = 20_000
"""Messages that are looked at; a queue that grew by more during one proof is not read to its end."""


@dataclass(frozen=True, slots=True)
class Traces:
    """By what a task of the canaries is known: words that occur nowhere else (marker, group, uuids), and the keys of
    their rows by the task that takes such keys."""

    words: tuple[str, ...]
    keys: Mapping[str, frozenset[str]]

    def are_in_task(self, payload: bytes) -> bool:
        """Whether a message of the queue (TaskIQ's JSON form) is about canaries and nothing else."""
        text = payload.decode("utf-8", "replace")
        try:
            message = json.loads(text)
            return self._are_in(text, message["task_name"], [message["args"], message["kwargs"]])
        except (ValueError, LookupError, TypeError):
            return self._are_in(text, "", [])

    def are_in_letter(self, task: str, arguments: str) -> bool:
        """Whether a dead letter (its arguments as JSON) is about canaries and nothing else."""
        try:
            return self._are_in(arguments, task, json.loads(arguments))
        except ValueError:
            return self._are_in(arguments, task, [])

    def _are_in(self, text: str, task: object, arguments: Any) -> bool:
        if any(word in text for word in self.words):
            return True
        named = set(_leaves(arguments))
        return bool(named) and named <= self.keys.get(str(task), frozenset())


def _leaves(value: Any) -> Iterable[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _leaves(each)
    else:
        yield str(value)


@dataclass(frozen=True, slots=True)
class Settled:
    """How many tasks were withdrawn, and how many of those somebody had taken and not finished."""

    withdrawn: int
    taken: int


@dataclass(frozen=True, slots=True)
class TaskQueue:
    """The target's queue from one message on: what was there before the canaries is not looked at."""

    nats: Nats
    stream: str
    subject: str
    first: int

    @classmethod
    async def from_now_on(cls, nats: Nats, subject: str) -> TaskQueue:
        """Remember where the queue ends now.

        Raises:
            NatsError: see `doctor.resources.nats`.
        """
        name = await nats.stream_of_subject(subject)
        last = next((stream.last_sequence for stream in await nats.streams() if stream.name == name), 0)
        return cls(nats, name, subject, last + 1)

    async def holds(self, traces: Traces) -> bool:
        """Tell whether a task of the canaries waits or is being worked on.

        Raises:
            NatsError: see `doctor.resources.nats`.
        """
        return bool(await self._tasks(traces))

    async def settle(self, traces: Callable[[], Awaitable[Traces]]) -> Settled:
        """Wait until no task of the canaries is left; withdraw those that nobody works on.

        Tasks that a worker has taken are waited for longer, and withdrawn too in the end, so that they are not
        delivered again; what the worker then still does is not known. Where none is found it is looked once more: a
        task that ended while the traces were read may have sent another, of a batch that they do not know yet.

        Raises:
            NatsError: see `doctor.resources.nats`.
        """
        end = time.monotonic() + PATIENCE
        seen: set[int] = set()
        changed = time.monotonic()
        while waiting := await self._tasks(await traces()) or await self._tasks(await traces()):
            now = time.monotonic()
            sequences = {message.sequence for message in waiting}
            if sequences != seen:
                seen, changed = sequences, now
            taken = await self._taken(sequences) if now - changed > STANDSTILL else set()
            if now > end or (now - changed > STANDSTILL and not taken):
                for message in waiting:
                    await self.nats.delete_message(message)
                return Settled(len(waiting), len(taken))
            await asyncio.sleep(POLL)
        return Settled(0, 0)

    async def _taken(self, sequences: set[int]) -> set[int]:
        """Return those that were delivered to somebody who has not acknowledged them."""
        consumers = await self.nats.consumers(self.stream)
        return {
            sequence
            for sequence in sequences
            for consumer in consumers
            if consumer.num_ack_pending and consumer.ack_floor_sequence < sequence <= consumer.delivered_sequence
        }

    async def _tasks(self, traces: Traces) -> list[StoredMessage]:
        found = []
        sequence = self.first
        for _ in range(MAX_MESSAGES):
            message = await self.nats.next_message(self.stream, self.subject, sequence)
            if message is None:
                break
            if traces.are_in_task(message.data):
                found.append(message)
            sequence = message.sequence + 1
        return found
