"""Who listens to the tasks of plain NATS, read from the server's monitoring page."""

from __future__ import annotations

import nats
import pytest
from nats.aio.subscription import Subscription
from taskiq_nats import NatsBroker

from doctor.model import Severity, Status
from tests.checks.conftest import Ask, AskAll, ruled_out, the_finding

FILES = {"app/broker.py": "from taskiq_nats import NatsBroker\n\nbroker = NatsBroker()\n"}


@pytest.fixture
async def listen(queue_server):
    """Listen as the worker of a broker of plain NATS does."""
    client = await nats.connect(queue_server.url)

    async def start(queue: str = "") -> Subscription:
        subscription = await client.subscribe("taskiq_tasks", queue=queue)
        await client.flush()
        return subscription

    yield start
    await client.close()


async def _task() -> None: ...


@pytest.fixture
async def send(queue_server):
    """Send one task by the broker of the library."""
    broker = NatsBroker(queue_server.url)
    await broker.startup()
    task = broker.register_task(_task, task_name="app.jobs:job")

    async def sent() -> None:
        await task.kiq()
        await broker.client.flush()  # the server has it; who listens is another connection

    yield sent
    await broker.shutdown()


async def received(subscription) -> int:
    """Return how many tasks came to a listener; what the server had for it has come with the answer to a ping."""
    await subscription._conn.flush()
    return subscription.pending_msgs


@pytest.mark.symptom("17")
async def test_nobody_who_listens_means_that_tasks_are_lost(ask_all: AskAll, jetstream, send, listen, told):
    await send()
    results = await ask_all(FILES)
    assert await received(await listen()) == 0
    told(results)
    finding = the_finding(next(result for result in results if result.code == "WRK004"))
    assert finding.symptom == "nobody listens to `taskiq_tasks`: a task that is sent now is lost"
    assert finding.severity is Severity.CRITICAL


@pytest.mark.symptom("18b")
@pytest.mark.variation("17", "WRK004")
async def test_listeners_without_a_group_each_run_every_task(ask_all: AskAll, listen, send, told):
    listeners = [await listen(), await listen()]
    await send()
    assert [await received(one) for one in listeners] == [1, 1]
    results = await ask_all(FILES)
    told(results)
    finding = the_finding(next(result for result in results if result.code == "WRK004"))
    assert finding.symptom == "2 listeners get a copy of every task of `taskiq_tasks`"
    assert finding.fixes[0].title == 'give the broker queue="workers"'


@pytest.mark.variation("18b", None)
async def test_a_group_of_listeners_shares_the_tasks(ask: Ask, listen, send, told):
    listeners = [await listen("workers"), await listen("workers")]
    await send()
    assert sum([await received(one) for one in listeners]) == 1
    result = await ask("WRK004", FILES)
    told([result])
    assert (result.status, ruled_out(result)) == (Status.PASS, {"worker down"})


async def test_two_groups_get_two_copies(ask: Ask, listen):
    await listen("workers")
    await listen("others")
    assert "2 listeners" in the_finding(await ask("WRK004", FILES)).symptom


async def test_without_the_page_it_is_not_known(ask: Ask):
    result = await ask("WRK004", FILES, NATS_MONITORING_URL="http://127.0.0.1:1")
    assert result.status is Status.UNKNOWN
    assert "start nats-server with -m 8222" in result.reason


async def test_a_broker_over_jetstream_is_another_question(ask: Ask):
    files = {"app/broker.py": "from taskiq_nats import PullBasedJetStreamBroker\n\nb = PullBasedJetStreamBroker()\n"}
    assert (await ask("WRK004", files)).status is Status.PASS
