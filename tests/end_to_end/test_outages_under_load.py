"""Servers and our own processes die while messages come in: what was accepted ends in its final state, once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from doctor.pipeline.sandbox.sandbox import Sandbox
from tests.load import send, settle

RATE = 20.0
"""Messages per second."""

OUTAGE = 2.0
"""Seconds for which a server is away; a process of ours that is killed is started again at once."""

PATIENCE = 60.0


def stop(sandbox: Sandbox, service: str) -> None:
    sandbox.stop(service)


def freeze(sandbox: Sandbox, service: str) -> None:
    sandbox.pause(service)


def kill(sandbox: Sandbox, service: str) -> None:
    sandbox.kill(service)


SERVERS = ("postgres", "nats", "models")
CASES = [
    *((server, way) for server in SERVERS for way in (stop, kill, freeze)),
    *((process, kill) for process in ("api", "worker")),
]


@pytest.mark.parametrize(("service", "way"), CASES)
async def test_what_was_accepted_is_final_and_once(
    patient: Sandbox, service: str, way: Callable[[Sandbox, str], None]
) -> None:
    async def outage() -> None:
        await asyncio.sleep(1)
        await asyncio.to_thread(way, patient, service)
        await asyncio.sleep(OUTAGE)
        await asyncio.to_thread(patient.start, service)

    async with asyncio.TaskGroup() as together:
        sending = together.create_task(send(patient, RATE, 1 + OUTAGE + 2))
        together.create_task(outage())
    sent = sending.result()
    assert len(sent.accepted) >= RATE  # what came before the outage at the least
    last = await settle(patient, sent.accepted, PATIENCE)
    assert last.is_settled, (last, sent.refused, sent.broken)
