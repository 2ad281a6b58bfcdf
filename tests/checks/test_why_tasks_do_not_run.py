"""Published tasks that no worker runs: each reason on a real server, told from the others."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig
from taskiq_nats import PushBasedJetStreamBroker

from doctor.model import Severity, Status
from doctor.probe import Answer, probe
from doctor.target import Target
from tests.checks.conftest import Ask, publish, ruled_out, the_finding

PULL = {
    "app/broker.py": "from taskiq_nats import PullBasedJetStreamBroker\n\nbroker = PullBasedJetStreamBroker({given})\n"
}
PUSH = {"app/broker.py": "from taskiq_nats import PushBasedJetStreamBroker\n\nbroker = PushBasedJetStreamBroker()\n"}
SLEEPER = "import time\n\nprint('ready', flush=True)\ntime.sleep(600)  # a stand-in: alive, and asks for nothing\n"
API = """\
import asyncio
import sys

from taskiq_nats import PushBasedJetStreamBroker


async def main() -> None:
    await PushBasedJetStreamBroker(sys.argv[2]).startup()
    print("ready", flush=True)
    await asyncio.sleep(600)


asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look as often as always, and wait less in between: nothing here changes meanwhile."""
    monkeypatch.setattr("doctor.checks.worker_not_consuming.PAUSE", 0.01)
    monkeypatch.setattr("doctor.checks.worker_not_consuming.LONGER", 8)


def pull(given: str = "pull_consume_timeout=1") -> dict[str, str]:
    return {path: text.format(given=given) for path, text in PULL.items()}


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a program under a name that a server or a worker has, in the target's folder, and wait until it is up."""
    started = []

    def start(program: str, text: str, *words: str) -> subprocess.Popen[str]:
        (tmp_path / program).write_text(text)
        command = [sys.executable, str(tmp_path / program), *words]
        one = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
        started.append(one)
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
        return one

    yield start
    for one in started:
        one.kill()
        one.communicate()


async def settled(jetstream: JetStreamContext, consumer: str, unacknowledged: int) -> None:
    """Wait until the consumer's numbers are these: the server brings them up to date a moment later."""
    async with asyncio.timeout(5):
        while (await jetstream.consumer_info("taskiq_jetstream", consumer)).num_ack_pending != unacknowledged:
            await asyncio.sleep(0.02)


@pytest.mark.symptom("16a")
async def test_no_worker_at_all(ask: Ask, published, told):
    result = await ask("WRK001", pull())
    told([result])
    finding = the_finding(result)
    assert finding.cause == "no worker runs"
    assert "3 wait, no worker runs here" in finding.symptom
    assert finding.severity is Severity.CRITICAL
    assert not ruled_out(result) & {"worker down", "lost pull request"}


@pytest.mark.symptom("16b")
@pytest.mark.variation("16a", "WRK001")
async def test_a_worker_that_lives_and_asks_for_nothing_has_lost_its_request(ask: Ask, published, process, told):
    process("taskiq", SLEEPER, "worker", "app.broker:broker")
    result = await ask("WRK001", pull(""))
    told([result])
    finding = the_finding(result)
    assert finding.cause == "the worker lost its pull request"
    assert finding.fixes[0].code == "pull_consume_timeout=1"


@pytest.mark.symptom("16c")
@pytest.mark.variation("16b", "WRK001")
async def test_a_worker_that_waits_for_a_full_batch(ask: Ask, jetstream, listening, told):
    await publish(await listening(pull_consume_batch=50))
    await settled(jetstream, "taskiq_durable", 3)
    result = await ask("WRK001", pull("pull_consume_batch=50"))
    told([result])
    finding = the_finding(result)
    assert finding.cause == "the worker waits for a full batch"
    assert "asks for 50 at once and has no time-out" in finding.symptom


@pytest.mark.variation("16c", None)
async def test_tasks_that_run_are_no_batch_that_is_not_full(ask: Ask, jetstream, listening, told):
    await publish(await listening(pull_consume_timeout=1))
    await settled(jetstream, "taskiq_durable", 3)
    result = await ask("WRK001", pull())
    told([result])
    assert (result.status, ruled_out(result)) == (Status.PASS, {"worker down"})


@pytest.mark.symptom("16d")
async def test_an_api_that_holds_the_push_consumer_swallows_the_tasks(ask, queue_server, jetstream, process, told):
    api = process("uvicorn", API, "app.main:app", queue_server.url)
    for _ in range(3):
        await jetstream.publish("taskiq_tasks", b"{}")
    await settled(jetstream, "taskiq_consumer", 3)
    result = await ask("WRK001", PUSH)
    told([result])
    finding = the_finding(result)
    assert f"API (pid {api.pid})" in finding.symptom


@pytest.mark.variation("16d", None)
async def test_a_push_consumer_that_a_worker_holds_is_no_theft(ask: Ask, queue_server, jetstream, process, told):
    process("taskiq", SLEEPER, "worker", "app.broker:broker")
    broker = PushBasedJetStreamBroker(queue_server.url)
    await broker.startup()
    result = await ask("WRK001", PUSH)
    told([result])
    assert result.status is Status.PASS
    await broker.shutdown()


async def delivered_again(jetstream: JetStreamContext, count: int) -> None:
    """Wait until the server has waited for the answers in vain and has delivered the tasks once more."""
    async with asyncio.timeout(5):
        while (await jetstream.consumer_info("taskiq_jetstream", "taskiq_durable")).num_redelivered != count:
            await asyncio.sleep(0.02)


async def full(listening: Callable[..., Any], ack_wait: float) -> None:
    """Let two of three tasks be taken, which is as many as the consumer allows at once."""
    config = ConsumerConfig(durable_name="taskiq_durable", max_ack_pending=2, ack_wait=ack_wait)
    await publish(await listening(consumer_config=config, pull_consume_timeout=1))


async def probed(path: Path) -> Answer:
    async with Target.at(path, keeps_facts=False) as target:
        return await probe(target, "worker")


@pytest.mark.symptom("16e")
async def test_too_many_unacknowledged_tasks_stop_the_queue(ask: Ask, jetstream, listening, tmp_path, told):
    await full(listening, ack_wait=0.3)
    await delivered_again(jetstream, 2)
    result = await ask("WRK001", pull())
    assert (await probed(tmp_path)).words == "too many tasks are unacknowledged; 1 waiting, 2 at work"
    told([result])
    assert "2 of at most 2" in the_finding(result).symptom


@pytest.mark.variation("16e", None)
async def test_as_many_tasks_at_work_as_are_allowed_are_a_busy_worker(ask: Ask, jetstream, listening, tmp_path, told):
    await full(listening, ack_wait=30)
    await settled(jetstream, "taskiq_durable", 2)
    result = await ask("WRK001", pull())
    told([result])
    assert (result.status, ruled_out(result)) == (Status.PASS, {"worker down"})
    answer = await probed(tmp_path)
    assert (answer.healthy, answer.words) == (True, "busy with 2 of at most 2; 1 waiting, 2 at work")


async def test_a_busy_worker_that_asks_for_no_more_until_it_is_done_is_no_standstill(ask: Ask, jetstream, process):
    process("taskiq", SLEEPER, "worker", "app.broker:broker")
    await jetstream.add_stream(name="taskiq_jetstream", subjects=["taskiq_tasks"])
    config = ConsumerConfig(durable_name="taskiq_durable", max_ack_pending=2)
    subscription = await jetstream.pull_subscribe("taskiq_tasks", durable="taskiq_durable", config=config)
    for _ in range(3):
        await jetstream.publish("taskiq_tasks", b"{}")
    await subscription.fetch(2)
    assert (await ask("WRK001", pull())).status is Status.PASS


async def test_what_a_new_worker_was_given_of_its_predecessor_is_no_standstill(ask: Ask, jetstream, listening, process):
    await full(listening, ack_wait=2)
    await delivered_again(jetstream, 2)
    process("taskiq", SLEEPER, "worker", "app.broker:broker")
    assert (await ask("WRK001", pull())).status is Status.PASS


async def test_at_its_limit_a_queue_without_a_worker_lacks_the_worker(ask: Ask, jetstream):
    await jetstream.add_stream(name="taskiq_jetstream", subjects=["taskiq_tasks"])
    config = ConsumerConfig(durable_name="taskiq_durable", max_ack_pending=2)
    subscription = await jetstream.pull_subscribe("taskiq_tasks", durable="taskiq_durable", config=config)
    for _ in range(3):
        await jetstream.publish("taskiq_tasks", b"{}")
    await subscription.fetch(2)
    assert the_finding(await ask("WRK001", pull())).cause == "no worker runs"


async def test_a_paused_consumer_is_named(ask: Ask, jetstream):
    await jetstream.add_stream(name="taskiq_jetstream", subjects=["taskiq_tasks"])
    config = ConsumerConfig(durable_name="taskiq_durable", pause_until="2100-01-01T00:00:00Z")
    await jetstream.add_consumer("taskiq_jetstream", config)
    finding = the_finding(await ask("WRK001", pull()))
    assert finding.cause == "the consumer is paused"
    assert finding.fixes[0].code == "nats consumer resume taskiq_jetstream taskiq_durable"


async def test_tasks_that_a_dead_worker_has_taken_are_no_sign_of_life(ask: Ask, jetstream, published):
    subscription = await jetstream.pull_subscribe("taskiq_tasks", durable="taskiq_durable")
    await subscription.fetch(3)
    finding = the_finding(await ask("WRK001", pull()))
    assert finding.cause == "no worker runs"
    assert "0 wait, 3 are taken" in finding.symptom


async def test_a_stream_without_a_consumer_has_had_no_worker(ask: Ask, jetstream):
    await jetstream.add_stream(name="work", subjects=["*"])
    await jetstream.publish("taskiq_tasks", b"{}")
    result = await ask("WRK001", pull())
    assert "1 wait, no worker runs here" in the_finding(result).symptom
    assert the_finding(result).evidence[0].text == "stream `work` has no consumer"


async def test_a_missing_stream_is_named_and_blocks_the_question_for_a_worker(ask: Ask, jetstream):
    await jetstream.add_stream(name="orders", subjects=["orders.new"])
    result = await ask("NAT004", pull())
    assert "no stream of NATS" in the_finding(result).symptom
    assert the_finding(result).evidence[0].text == "orders (orders.new)"
    blocked = await ask("WRK001")
    assert (blocked.status, blocked.blocked_by) == (Status.SKIP, "NAT004")


async def test_a_stream_with_nearly_the_subject_is_another_cause(ask: Ask, jetstream):
    await jetstream.add_stream(name="taskiq_jetstream", subjects=["taskiq_task"])
    assert the_finding(await ask("NAT004", pull())).cause == (
        "the tasks go to `taskiq_tasks`, and the stream has `taskiq_task`"
    )


async def test_a_stream_that_is_there_rules_a_missing_one_out(ask: Ask, published):
    assert ruled_out(await ask("NAT004", pull())) == {"stream missing"}


@pytest.mark.parametrize(
    "given",
    [
        "subject=SETTINGS.subject",
        "'nats://localhost', 'jobs'",
        "**OPTIONS",
        "subject='jobs')\nother = PullBasedJetStreamBroker(subject='mails'",
    ],
)
async def test_a_subject_that_cannot_be_read_is_not_guessed(ask: Ask, given: str):
    result = await ask("NAT004", pull(given))
    assert result.status is Status.SKIP
    assert "which subject of NATS the tasks have" in result.reason


async def test_a_subject_that_the_code_gives_is_the_one_that_is_looked_for(ask: Ask, jetstream):
    await jetstream.add_stream(name="work", subjects=["jobs.>"])
    assert ruled_out(await ask("NAT004", pull("subject='jobs.new'"))) == {"stream missing"}
    assert "`mails`" in the_finding(await ask("NAT004", pull("subject='mails'"))).symptom


async def test_plain_nats_needs_no_stream(ask: Ask):
    files = {"app/broker.py": "from taskiq_nats import NatsBroker\n\nbroker = NatsBroker(queue='workers')\n"}
    assert (await ask("NAT004", files)).status is Status.SKIP


async def test_without_tasks_over_nats_nobody_asks_for_a_stream(ask: Ask):
    assert (await ask("NAT004", {"app/main.py": "import nats\n"})).status is Status.SKIP
