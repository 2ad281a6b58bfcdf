"""Deliveries that were repeated: because a task is slower than ack_wait, or because a worker died."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig

from doctor.checks.task_runs_twice import task_runs_twice
from doctor.model import Finding, Observation, Secret, Severity
from doctor.pipeline.sandbox.sandbox import Sandbox
from doctor.resources.database import Database
from doctor.resources.nats import Nats
from doctor.source.collector import Collector
from doctor.source.index import Source
from doctor.target import Target

EXECUTED = """
    INSERT INTO task_executions (task, status, attempts, started_at, finished_at)
    VALUES ('app.tasks.scoring:score_message_task', 'succeeded', 1, now() - interval '{seconds} s', now())
"""
BROKER = """\
from taskiq_nats import PullBasedJetStreamBroker

broker = PullBasedJetStreamBroker()
"""
REPORTS = f"""\
{BROKER}

async def run(message) -> None:
    await message.in_progress()
"""


@pytest.fixture
async def redelivered(jetstream: JetStreamContext) -> None:
    """A task that was given to a worker twice, the second time because the first said nothing for half a second."""
    await jetstream.add_stream(name="taskiq_jetstream", subjects=["taskiq_tasks"])
    await jetstream.add_consumer("taskiq_jetstream", ConsumerConfig(durable_name="taskiq_durable", ack_wait=0.5))
    await jetstream.publish("taskiq_tasks", b"{}")
    subscription = await jetstream.pull_subscribe("taskiq_tasks", durable="taskiq_durable")
    await subscription.fetch(1)
    (again,) = await subscription.fetch(1, timeout=5)
    assert again.metadata.num_delivered == 2
    await again.ack_sync()
    async with asyncio.timeout(5):
        while (await jetstream.consumer_info("taskiq_jetstream", "taskiq_durable")).num_ack_pending:
            await asyncio.sleep(0.02)


Ask = Callable[..., Any]


@pytest.fixture
async def look(pipeline: Sandbox, queue_server: Any) -> AsyncIterator[Ask]:
    """Ask the check itself, with the executions of the pipeline's database and the bare server's queue."""
    nats = Nats(queue_server.url, origin=".env:1")
    database = Database(Secret(pipeline.environment()["DATABASE_URL"]), origin=".env:1")
    await nats.open()
    await database.open()
    chain = Target.at(pipeline.directory).chain()

    async def run(**resources: Any) -> list[Finding | Observation]:
        given = {"nats": nats, "database": database, "chain": chain, **resources}
        return [item async for item in task_runs_twice.detect(**given)]

    yield run
    await database.close()
    await nats.close()


@pytest.fixture
def executed(execute: Callable[..., None]) -> Callable[[float], None]:
    execute("TRUNCATE task_executions")
    return lambda seconds: execute(EXECUTED.format(seconds=seconds))


@pytest.mark.symptom("18a")
def test_a_task_that_is_slower_than_ack_wait_runs_twice(
    redelivered, executed, queue_server, examine_all, monkeypatch, told
):
    """The pipeline's own code tells the queue of its progress; here nothing is read of that."""
    monkeypatch.setattr("doctor.checks.task_runs_twice.IN_PROGRESS", Collector("none", 1, (), lambda _: ()))
    executed(41)
    results = examine_all("NAT004", "WRK003", NATS_URL=queue_server.url)
    told(results)
    (finding,) = next(result for result in results if result.code == "WRK003").findings
    assert finding.symptom == (
        "1 repeated delivery of `taskiq_durable`: ack_wait is 0.5 s, `app.tasks.scoring:score_message_task` took 41.0 s"
    )
    assert finding.cause == "`ack_wait` is shorter than the task"
    assert finding.severity is Severity.ERROR


async def test_a_worker_that_died_is_told_by_the_time_that_tasks_take(redelivered, executed, look):
    executed(0.2)
    (seen,) = await look()
    assert seen.rules_out == "ack_wait too short"
    assert "of a worker that died or gave them back: the longest execution took 0.2 s" in seen.text


async def test_code_that_tells_of_its_progress_may_take_long(redelivered, executed, look, tmp_path: Path):
    executed(41)
    (tmp_path / "work.py").write_text(REPORTS)
    (seen,) = await look(source=Source.read(tmp_path))
    assert (seen.rules_out, "work.py:7" in seen.text) == ("ack_wait too short", True)


@pytest.fixture
def code(tmp_path: Path) -> Source:
    (tmp_path / "broker.py").write_text(BROKER)
    return Source.read(tmp_path)


async def test_without_a_log_of_executions_a_repetition_of_the_past_is_no_finding(redelivered, executed, look, code):
    executed(0.2)
    assert [seen.rules_out for seen in await look(source=code)] == ["ack_wait too short"]
    assert await look(chain=None, source=code) == []


async def test_without_a_log_of_executions_a_repetition_now_has_two_causes(jetstream, look, code):
    await jetstream.add_stream(name="taskiq_jetstream", subjects=["taskiq_tasks"])
    await jetstream.add_consumer("taskiq_jetstream", ConsumerConfig(durable_name="taskiq_durable", ack_wait=0.3))
    await jetstream.publish("taskiq_tasks", b"{}")
    subscription = await jetstream.pull_subscribe("taskiq_tasks", durable="taskiq_durable")
    await subscription.fetch(1)
    await subscription.fetch(1, timeout=5)
    async with asyncio.timeout(5):
        while not (found := await look(chain=None, source=code)) or not isinstance(found[0], Finding):
            await asyncio.sleep(0.02)
    assert found[0].cause == "`ack_wait` is too short, or a worker has died"
    assert (found[0].severity, found[0].rule) == (Severity.WARNING, "")


@pytest.fixture
async def sent_twice(jetstream: JetStreamContext) -> None:
    """The same work in two tasks, each with an id of its own, and each delivered once."""
    await jetstream.add_stream(name="taskiq_jetstream", subjects=["taskiq_tasks"])
    subscription = await jetstream.pull_subscribe("taskiq_tasks", durable="taskiq_durable")
    for number in ("1", "2"):
        await jetstream.publish("taskiq_tasks", b'{"task_id": "%s"}' % number.encode())
    for message in await subscription.fetch(2):
        await message.ack_sync()


@pytest.mark.symptom("18c")
@pytest.mark.variation("18a", None)
def test_work_that_was_sent_twice_was_not_delivered_twice(sent_twice, queue_server, examine_all, told):
    told(examine_all("NAT004", "WRK003", NATS_URL=queue_server.url))
