"""What a stream keeps, drops and refuses, and whether it is as the code says: on a real server."""

from __future__ import annotations

import asyncio

import pytest
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, DeliverPolicy, DiscardPolicy, RetentionPolicy, StreamConfig
from nats.js.errors import APIError
from taskiq_nats import PullBasedJetStreamBroker

from doctor.model import CheckResult, Severity, Status
from tests.checks.conftest import Ask, AskAll, ruled_out, the_finding

STREAM = "taskiq_jetstream"
BROKER = """\
from nats.js.api import ConsumerConfig, DeliverPolicy, DiscardPolicy, RetentionPolicy, StreamConfig
from taskiq_nats import PullBasedJetStreamBroker

WEEK = 7 * 24 * 3600
broker = PullBasedJetStreamBroker(pull_consume_timeout=1, {given})
"""
OWN_CLASS = {
    "app/queue.py": "from taskiq_nats import PullBasedJetStreamBroker\n\n\n"
    "class Queue(PullBasedJetStreamBroker): ...\n",
    "app/broker.py": "from nats.js.api import StreamConfig\n\nfrom .queue import Queue\n\n"
    'broker = Queue(subject="jobs", stream_name="jobs", stream_config=StreamConfig(max_msgs=1000))\n',
}


def code(given: str = "") -> dict[str, str]:
    return {"app/__init__.py": "", "app/broker.py": BROKER.format(given=given)}


async def stream(
    jetstream: JetStreamContext, count: int, *, acknowledged: int = 0, name: str = STREAM, **config: object
) -> None:
    """Make a stream with so many tasks, of which so many are done."""
    subject = "jobs" if name == "jobs" else "taskiq_tasks"
    await jetstream.add_stream(name=name, subjects=[subject], **config)
    await jetstream.add_consumer(name, ConsumerConfig(durable_name="taskiq_durable", ack_wait=30))
    for _ in range(count):
        await jetstream.publish(subject, b"{}")
    if acknowledged:
        subscription = await jetstream.pull_subscribe(subject, durable="taskiq_durable", stream=name)
        for message in await subscription.fetch(acknowledged):
            await message.ack_sync()


def of(results: tuple[CheckResult, ...], code: str) -> CheckResult:
    """Return what one of the checks said."""
    return next(result for result in results if result.code == code)


@pytest.mark.symptom("20b")
async def test_done_tasks_that_nothing_removes_are_a_growth(ask_all: AskAll, jetstream, told):
    await stream(jetstream, 5, acknowledged=3)
    results = await ask_all(code("stream_config=StreamConfig(storage='file')"))
    told(results)
    finding = the_finding(of(results, "NAT005"))
    assert finding.symptom == "`taskiq_jetstream` still holds 3 tasks that are done"
    assert finding.severity is Severity.WARNING
    assert finding.fixes[0].code == "nats stream edit taskiq_jetstream --max-age 7d"


async def test_tasks_that_wait_are_a_backlog_and_no_growth(ask: Ask, jetstream):
    await stream(jetstream, 5)
    assert (await ask("NAT005", code())).status is Status.PASS


@pytest.mark.parametrize(
    "config", [{"retention": RetentionPolicy.WORK_QUEUE}, {"max_age": 60}, {"max_msgs": 100}, {"max_bytes": 100_000}]
)
@pytest.mark.variation("20b", None)
async def test_a_stream_with_a_limit_does_not_grow_for_ever(ask: Ask, jetstream, config, told):
    await stream(jetstream, 3, acknowledged=3, **config)
    result = await ask("NAT005", code())
    told([result])
    assert (result.status, ruled_out(result)) == (Status.PASS, {"storage growing for ever"})


async def test_a_stream_that_nobody_consumes_has_nothing_that_is_done(ask: Ask, jetstream):
    await jetstream.add_stream(name=STREAM, subjects=["taskiq_tasks"])
    assert (await ask("NAT005", code())).status is Status.PASS


@pytest.mark.symptom("20a")
async def test_a_stream_that_was_made_before_keeps_its_settings(ask_all: AskAll, jetstream, told):
    await stream(jetstream, 1)
    results = await ask_all(code("stream_config=StreamConfig(max_msgs=10 * 100, max_age=WEEK)"))
    told(results)
    result = of(results, "NAT006")
    finding = the_finding(result)
    assert "max_msgs 1000 in the code, -1 on the server" in finding.symptom
    assert finding.fixes[0].code == "nats stream edit taskiq_jetstream --max-age 604800s --max-msgs 1000"
    assert finding.resource.location == "app/broker.py:5"


async def test_the_library_itself_reuses_such_a_stream_without_an_error(queue_server, jetstream):
    await stream(jetstream, 0)
    broker = PullBasedJetStreamBroker(queue_server.url, stream_config=StreamConfig(max_msgs=1000))
    await broker.startup()
    assert (await jetstream.stream_info(STREAM)).config.max_msgs == -1
    await broker.shutdown()


async def test_a_retention_can_only_be_changed_by_making_the_stream_anew(ask: Ask, jetstream):
    await stream(jetstream, 1)
    finding = the_finding(await ask("NAT006", code("stream_config=StreamConfig(retention=RetentionPolicy.WORK_QUEUE)")))
    assert "retention workqueue in the code, limits on the server" in finding.symptom
    assert "delete `taskiq_jetstream`" in finding.fixes[0].title
    assert finding.fixes[0].code == ""


async def test_a_consumer_that_was_changed_since_is_told_from_its_stream(ask: Ask, jetstream):
    await stream(jetstream, 1, max_msgs=1000)
    consumer = 'ConsumerConfig(durable_name="taskiq_durable", ack_wait=600)'
    given = f"stream_config=StreamConfig(max_msgs=1000), consumer_config={consumer}"
    finding = the_finding(await ask("NAT006", code(given)))
    assert finding.resource.key == "consumer:taskiq_jetstream/taskiq_durable"
    assert "ack_wait 600 in the code, 30.0 on the server" in finding.symptom


@pytest.mark.variation("20a", None)
async def test_a_stream_that_is_as_the_code_says_rules_drift_out(ask: Ask, jetstream, told):
    await stream(jetstream, 1, max_msgs=1000, discard=DiscardPolicy.NEW)
    result = await ask("NAT006", code("stream_config=StreamConfig(max_msgs=1000, discard=DiscardPolicy.NEW)"))
    told([result])
    assert (result.status, ruled_out(result)) == (Status.PASS, {"settings drift"})


async def test_a_broker_of_a_class_of_ones_own_is_followed(ask: Ask, jetstream):
    await stream(jetstream, 1, name="jobs")
    finding = the_finding(await ask("NAT006", {"app/__init__.py": "", **OWN_CLASS}))
    assert "max_msgs 1000 in the code, -1 on the server" in finding.symptom


async def test_settings_that_are_read_from_elsewhere_are_not_compared(ask: Ask, jetstream):
    await stream(jetstream, 1)
    result = await ask("NAT006", code("stream_config=StreamConfig(max_msgs=settings.most)"))
    assert (result.status, result.observations) == (Status.PASS, ())


async def test_a_full_stream_refuses_tasks(ask: Ask, jetstream):
    await stream(jetstream, 2, max_msgs=2, discard=DiscardPolicy.NEW)
    with pytest.raises(APIError, match="maximum messages exceeded"):
        await jetstream.publish("taskiq_tasks", b"{}")
    result = await ask("NAT007", code())
    assert the_finding(result).symptom == "`taskiq_jetstream` is full and refuses new tasks"
    assert ruled_out(result) == set()


async def test_a_stream_that_drops_tasks_before_they_were_run_is_told_from_one_that_refuses(ask: Ask, jetstream):
    await stream(jetstream, 5, max_msgs=2)
    finding = the_finding(await ask("NAT007", code()))
    assert finding.symptom == "`taskiq_jetstream` has dropped 3 tasks before `taskiq_durable` was given them"
    assert finding.cause == "a limit of the stream, with discard=old"


async def test_tasks_that_became_too_old_before_they_were_run_are_lost(ask: Ask, jetstream):
    await stream(jetstream, 2, max_age=0.1)
    async with asyncio.timeout(10):
        while (await jetstream.stream_info(STREAM)).state.messages:
            await asyncio.sleep(0.05)
    assert the_finding(await ask("NAT007", code())).cause == "max_age of the stream"


async def test_done_tasks_that_a_limit_drops_are_no_loss(ask: Ask, jetstream):
    await stream(jetstream, 2, acknowledged=2, max_msgs=2)
    for _ in range(2):
        await jetstream.publish("taskiq_tasks", b"{}")
    result = await ask("NAT007", code())
    assert result.status is Status.PASS


async def test_tasks_that_were_removed_by_hand_are_not_held_against_a_limit(ask: Ask, jetstream):
    await stream(jetstream, 3, max_msgs=100)
    await jetstream.purge_stream(STREAM)
    result = await ask("NAT007", code())
    assert (result.status, ruled_out(result)) == (Status.PASS, {"stream full"})


@pytest.mark.parametrize("policy", [DeliverPolicy.ALL, DeliverPolicy.NEW])
async def test_a_consumer_that_was_made_later_has_lost_nothing(ask: Ask, jetstream, policy):
    await jetstream.add_stream(name=STREAM, subjects=["taskiq_tasks"], max_msgs=2)
    for _ in range(5):
        await jetstream.publish("taskiq_tasks", b"{}")
    await jetstream.add_consumer(STREAM, ConsumerConfig(durable_name="taskiq_durable", deliver_policy=policy))
    assert (await ask("NAT007", code())).findings == ()
