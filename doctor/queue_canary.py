"""A task that nobody knows, sent on request: how long until a worker has taken it, and until it is off the queue.

TaskIQ acknowledges a task that it cannot find, and writes one warning. So a message under such a name goes the whole
way through queue and worker, and none of the target's code runs. It is withdrawn when nobody takes it.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from doctor.resources.nats import Nats

TASK = "doctor:canary"
"""The name by which the warning in the worker's log is recognised."""

WARN = 0.25
CRITICAL = 2.0
"""Seconds until it is acknowledged; a healthy queue needs one or two milliseconds (measured, TaskIQ 0.13)."""

POLL = 0.002


@dataclass(frozen=True, slots=True)
class CanaryTimes:
    """Seconds from the publish on; None: it did not happen within the deadline."""

    taken: float | None
    done: float | None


def _message(canary_id: str) -> bytes:
    message = {"task_id": canary_id, "task_name": TASK, "labels": {}, "labels_types": {}, "args": [], "kwargs": {}}
    return json.dumps(message).encode()


async def send_canary(nats: Nats, subject: str, canary_id: str, deadline: float) -> CanaryTimes:
    """Publish one canary and follow it; ``deadline`` is in seconds. Nothing of it is left in the stream.

    Raises:
        NatsError: see :mod:`doctor.resources.nats`.
    """
    started = time.perf_counter()
    receipt = await nats.publish(subject, _message(canary_id))
    taken: float | None = None
    try:
        while (elapsed := time.perf_counter() - started) < deadline:
            consumers = await nats.consumers(receipt.stream)
            stored = await nats.next_message(receipt.stream, subject, receipt.sequence)
            is_gone = stored is None or stored.sequence != receipt.sequence
            if taken is None and (is_gone or any(one.delivered_sequence >= receipt.sequence for one in consumers)):
                taken = elapsed
            if is_gone or any(one.ack_floor_sequence >= receipt.sequence for one in consumers):
                return CanaryTimes(taken, time.perf_counter() - started)
            await asyncio.sleep(POLL)
        return CanaryTimes(taken, None)
    finally:
        stored = await nats.next_message(receipt.stream, subject, receipt.sequence)
        if stored is not None and stored.sequence == receipt.sequence:
            await nats.delete_message(stored)


async def send_plain_canary(nats: Nats, subject: str, canary_id: str, deadline: float, pages: str) -> float | None:
    """Send one canary over plain NATS; return the seconds until a listener was given it, or None.

    Nothing tells when it is done: plain NATS knows no acknowledgement, and keeps nothing that could be withdrawn.
    ``pages`` is the URL of the server's monitoring pages, ``deadline`` in seconds.

    Raises:
        MonitoringUnavailableError: who is given what cannot be read.
        NatsError: see :mod:`doctor.resources.nats`.
    """
    from doctor.resources.nats_monitoring import listeners

    before = await listeners(pages, subject)
    started = time.perf_counter()
    await nats.send(subject, _message(canary_id))
    while (elapsed := time.perf_counter() - started) < deadline:
        if (await listeners(pages, subject)).delivered > before.delivered:
            return elapsed
        await asyncio.sleep(POLL)
    return None
