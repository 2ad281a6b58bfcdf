"""Who listens to the tasks of plain NATS, read from the server's monitoring page."""

from __future__ import annotations

import nats
import pytest

from doctor.model import Severity, Status
from tests.checks.conftest import Ask, ruled_out, the_finding

FILES = {"app/broker.py": "from taskiq_nats import NatsBroker\n\nbroker = NatsBroker()\n"}


@pytest.fixture
async def listen(queue_server):
    """Listen as the worker of a broker of plain NATS does."""
    client = await nats.connect(queue_server.url)

    async def start(queue: str = "") -> None:
        await client.subscribe("taskiq_tasks", queue=queue)
        await client.flush()

    yield start
    await client.close()


async def test_nobody_who_listens_means_that_tasks_are_lost(ask: Ask, jetstream):
    finding = the_finding(await ask("WRK004", FILES))
    assert finding.symptom == "nobody listens to `taskiq_tasks`: a task that is sent now is lost"
    assert finding.severity is Severity.CRITICAL


async def test_listeners_without_a_group_each_run_every_task(ask: Ask, listen):
    await listen()
    await listen()
    finding = the_finding(await ask("WRK004", FILES))
    assert finding.symptom == "2 listeners get a copy of every task of `taskiq_tasks`"
    assert finding.fixes[0].title == 'give the broker queue="workers"'


async def test_a_group_of_listeners_shares_the_tasks(ask: Ask, listen):
    await listen("workers")
    await listen("workers")
    result = await ask("WRK004", FILES)
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
