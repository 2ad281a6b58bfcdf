"""The pipeline under load: throughput beside a task that does nothing, latency of the webhook, a soak with faults."""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from doctor.pipeline.sandbox.nats import worker_is_listening
from doctor.pipeline.sandbox.sandbox import Sandbox
from tests.load import Sent, account, queued, send, settle

BURST = 300
"""Messages whose throughput is compared with that of tasks that do nothing."""

SOAK_SECONDS = 60.0
SOAK_RATE = 20.0
PATIENCE = 120.0

Line = Callable[[str, float, str, str], None]

NOOPS = 3_000
NOOP = """
import asyncio, sys, time
from app.broker import broker

@broker.task(task_name="bench:noop")
async def noop() -> None: ...

async def main() -> None:
    await broker.startup()
    print(time.time(), flush=True)
    await asyncio.gather(*(noop.kiq() for _ in range(int(sys.argv[1]))))
    await broker.shutdown()

if __name__ == "__main__":
    asyncio.run(main())
"""
"""A module of its own beside the application; its program prints when it begins to enqueue."""


def measure_load(sandbox: Sandbox, line: Line) -> None:
    """Print throughput, latency and the account of a soak."""
    scored = asyncio.run(_throughput(sandbox))
    nothing = asyncio.run(_noop(sandbox))
    line("webhook to scored", scored, "/s", f"one worker process; {scored / nothing:.2f} x a task that does nothing")
    sent = asyncio.run(send(sandbox, 50, 10, first=10_000))
    milliseconds = sorted(1000 * each for each in sent.seconds)
    p50, p95 = statistics.median(milliseconds), milliseconds[int(0.95 * len(milliseconds))]
    line("webhook at 50 requests/s, p95", p95, "ms", f"p50 {p50:.1f} ms; {len(sent.accepted)} accepted")
    asyncio.run(settle(sandbox, sent.accepted, PATIENCE))
    asyncio.run(_soak(sandbox, line))


async def _throughput(sandbox: Sandbox) -> float:
    """Return messages per second from the first call of the webhook to the last score."""
    started = time.perf_counter()
    sent = await send(sandbox, 10_000, BURST / 10_000, first=5_000)
    with sandbox.connect() as connection:
        while True:
            rows = connection.execute("SELECT count(importance_score) FROM messages").fetchall()
            if int(str(rows[0][0])) >= len(sent.accepted):
                break
            await asyncio.sleep(0.01)
    took = time.perf_counter() - started
    await settle(sandbox, sent.accepted, PATIENCE)
    return len(sent.accepted) / took


async def _noop(sandbox: Sandbox) -> float:
    """Return tasks per second of a task that does nothing: the same broker, one worker process, enqueued beside it."""
    with _noop_worker(sandbox) as module:
        while not await worker_is_listening(sandbox.environment()["NATS_URL"]):
            await asyncio.sleep(0.05)
        enqueue = [sys.executable, str(module), str(NOOPS)]
        enqueued = await asyncio.to_thread(
            subprocess.run, enqueue, cwd=sandbox.directory, check=True, stdout=subprocess.PIPE
        )
        while await queued(sandbox):
            await asyncio.sleep(0.01)
        took = time.time() - float(enqueued.stdout)
    return NOOPS / took


@contextmanager
def _noop_worker(sandbox: Sandbox) -> Iterator[Path]:
    """Have a worker that knows nothing but the task that does nothing in place of the sandbox's; yields its module."""
    module, log = sandbox.directory / "bench_noop.py", sandbox.layout.log("bench-noop")
    module.write_text(NOOP, encoding="utf-8")
    command = [sys.executable, "-m", "taskiq", "worker", "app.broker:broker", module.stem, "--workers", "1"]
    sandbox.stop("worker")
    with log.open("wb") as output:
        worker = subprocess.Popen(command, cwd=sandbox.directory, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield module
    finally:
        worker.terminate()
        worker.wait()
        module.unlink()
        sandbox.start("worker")
    assert "is not found" not in log.read_text(encoding="utf-8")  # what a worker says of a task that it drops


async def _soak(sandbox: Sandbox, line: Line) -> None:
    """Send for a minute while each server is stopped, killed or frozen in turn."""

    async def faults() -> None:
        for number, service in enumerate(("postgres", "nats", "models", "worker", "postgres", "nats", "worker")):
            await asyncio.sleep(5)
            way = (sandbox.stop, sandbox.kill, sandbox.pause)[number % 3]
            await asyncio.to_thread(way, service)
            await asyncio.sleep(2)
            await asyncio.to_thread(sandbox.start, service)

    async with asyncio.TaskGroup() as together:
        sending = together.create_task(send(sandbox, SOAK_RATE, SOAK_SECONDS, first=20_000))
        together.create_task(faults())
    sent: Sent = sending.result()
    started = time.perf_counter()
    await settle(sandbox, sent.accepted, PATIENCE)
    last = await account(sandbox, sent.accepted)
    note = (
        f"of {last.accepted} accepted; lost {len(last.lost)}, twice {len(last.twice)}, in the queue {last.queued}, "
        f"dead letters {len(last.letters)}; refused {sent.refused}, broken off {sent.broken}; "
        f"settled {time.perf_counter() - started:.0f} s after the last message"
    )
    line("soak of 60 s at 20/s with faults, final", last.final, "", note)
