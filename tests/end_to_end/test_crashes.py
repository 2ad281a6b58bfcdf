"""Workers are killed, doubled and frozen: every extraction happens, and its effect is there once."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx

from doctor.pipeline.sandbox.ports import free_port
from doctor.pipeline.sandbox.sandbox import Sandbox
from doctor.pipeline.sandbox.state import ServiceStatus
from tests.end_to_end.patient import ask, eventually
from tests.load import FIRST_CHAT, send, settle

PATIENCE = 60.0
KILLS = 10
WORKER = ("taskiq", "worker", "app.broker:broker", "app.tasks", "--workers", "1", "--wait-tasks-timeout", "15")
UNDER_WAY = "SELECT status FROM extractions WHERE status IN ('claimed', 'running')"
RUNNING = "SELECT status FROM extractions WHERE status = 'running'"
COMPLETED = "SELECT count(*) FROM extractions WHERE status = 'completed'"


@contextmanager
def slow_model(sandbox: Sandbox, seconds: float) -> Iterator[None]:
    """Delay every answer of the language model."""
    url = f"{sandbox.environment()['OLLAMA_HOST']}/_stand_in/behaviour"
    httpx.put(url, json={"rules": [{"paths": ["/api/chat"], "delay_seconds": seconds}]}).raise_for_status()
    try:
        yield
    finally:
        httpx.delete(url).raise_for_status()


@contextmanager
def process(sandbox: Sandbox, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run another process of the application beside those of the sandbox; it must end when it is told to."""
    with sandbox.layout.log(f"second-{command[0]}").open("ab") as log:
        started = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=sandbox.directory,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield started
        started.terminate()
        started.wait(PATIENCE)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
        started.wait()


async def until(holds: Callable[[], Any], what: str) -> None:
    """Wait in a thread of its own, so that what runs beside goes on."""
    await asyncio.to_thread(eventually, holds, what)


async def test_a_worker_that_dies_at_any_moment_of_an_extraction_costs_nothing(patient: Sandbox) -> None:
    moments = random.Random(20261121)
    with slow_model(patient, 0.6):
        for chat in range(KILLS):
            patient.send_messages(10, FIRST_CHAT - chat)
            await until(lambda: ask(patient, UNDER_WAY), "an extraction is under way")
            before = patient.state().services["worker"].process
            await asyncio.sleep(moments.uniform(0, 0.7))
            patient.kill("worker")
            await until(lambda before=before: _is_another(patient, before), "the worker is back")
    await until(lambda: ask(patient, COMPLETED) == [(KILLS,)], "every extraction is completed")
    sent = [f"{FIRST_CHAT - chat}:{number + 1}" for chat in range(KILLS) for number in range(10)]
    last = await settle(patient, sent, PATIENCE)
    assert last.is_settled, last


async def test_two_workers_and_two_webhooks_do_everything_once(patient: Sandbox) -> None:
    port = free_port()
    uvicorn = ("uvicorn", "app.main:app", "--host", "127.0.0.1", "--port", str(port))
    with (
        process(patient, *WORKER),
        process(patient, *uvicorn),
    ):
        second = f"http://127.0.0.1:{port}"
        await until(lambda: _is_up(second), "the second API answers")
        both = await asyncio.gather(
            send(patient, rate=20, seconds=2), send(patient, rate=20, seconds=2, first=40, url=second)
        )
        accepted = [name for sent in both for name in sent.accepted]
        assert len(accepted) == 80
        last = await settle(patient, accepted, PATIENCE)
    assert last.is_settled, last


async def test_many_tasks_that_reach_the_threshold_at_once_make_one_extraction(patient: Sandbox) -> None:
    chat = -910_000
    patient.stop("worker")
    try:
        patient.send_messages(30, chat)  # all of them wait in the queue and are then worked on at the same time
    finally:
        patient.start("worker")
    await until(
        lambda: (
            ask(patient, "SELECT count(*) FROM messages WHERE chat_id = -910000 AND importance_score > 0") == [(30,)]
        ),
        "all are scored",
    )
    await until(lambda: not ask(patient, UNDER_WAY), "no extraction is under way")
    claimed = ask(patient, "SELECT unnest(message_ids) FROM extractions WHERE chat_id = -910000")
    assert len(claimed) == len(set(claimed)) >= 21


async def test_a_task_that_is_slower_than_the_queue_s_patience_runs_once(patient: Sandbox) -> None:
    before = _asked(patient)
    with slow_model(patient, 8):  # ack_wait is 3 s in a sandbox
        patient.send_messages(10, FIRST_CHAT)
        await until(lambda: ask(patient, COMPLETED) == [(1,)], "the extraction is completed")
    assert _asked(patient) == before + 1


async def test_the_work_of_a_frozen_worker_goes_to_another_one(patient: Sandbox) -> None:
    with slow_model(patient, 1):
        sent = await send(patient, rate=50, seconds=0.2)
        sent.accepted += (await send(patient, rate=50, seconds=0.6, first=10)).accepted
        await until(lambda: ask(patient, UNDER_WAY), "an extraction is under way")
        patient.pause("worker")
        try:
            with process(patient, *WORKER):
                await until(
                    lambda: ask(patient, COMPLETED) == [(4,)],
                    "the other worker has completed all",
                )
        finally:
            patient.start("worker")
    last = await settle(patient, sent.accepted, PATIENCE)
    assert last.is_settled, last
    # Others have done what it had in hand when it froze; it may still be at that, and must not meet the next test.
    patient.stop("worker")
    patient.start("worker")


async def test_a_worker_that_is_told_to_stop_waits_for_no_task_for_ever(patient: Sandbox) -> None:
    patient.stop("worker")
    try:
        with slow_model(patient, 2 * PATIENCE), process(patient, *WORKER[:-1], "1"):
            patient.send_messages(10, FIRST_CHAT)
            await until(lambda: ask(patient, RUNNING), "the model is being asked")
    finally:
        patient.start("worker")
    await until(lambda: ask(patient, COMPLETED) == [(1,)], "another worker has done it")


def _asked(sandbox: Sandbox) -> int:
    """Return how often the language model was asked."""
    found = httpx.get(f"{sandbox.environment()['OLLAMA_HOST']}/_stand_in/requests").json()
    return int(found.get("/api/chat", 0))


def _is_another(sandbox: Sandbox, before: object) -> bool:
    worker = sandbox.state().services["worker"]
    return worker.process not in (before, None) and worker.status is ServiceStatus.READY


def _is_up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=2).is_success
    except httpx.HTTPError:
        return False
