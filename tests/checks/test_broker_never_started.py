"""What a sender sees whose broker was never started, and what one sees that waits for a result nobody keeps."""

from __future__ import annotations

from pathlib import Path

import pytest
from taskiq import SendTaskError, TaskiqResultTimeoutError
from taskiq_nats import NatsBroker, NATSObjectStoreResultBackend, PullBasedJetStreamBroker

from doctor.checks.broker_never_started import broker_never_started
from doctor.source.index import Source

TASKS = broker_never_started.bad[0].files
STARTED = broker_never_started.good[0].files
LOOKS = ("NAT001", "NAT002", "NAT004", "TSK012", "TSK013")
BROKERS = {PullBasedJetStreamBroker: "no attribute 'js'", NatsBroker: "outbound buffer limit"}


async def _task() -> None:
    raise RuntimeError("it fails")


@pytest.mark.parametrize("kind", BROKERS)
async def test_the_library_hides_the_cause_behind_one_sentence(queue_server, kind):
    task = kind(queue_server.url).register_task(_task, task_name="app.jobs:job")
    with pytest.raises(SendTaskError, match="Cannot send task to the queue") as caught:
        await task.kiq()
    assert BROKERS[kind] in str(caught.value.__cause__)


@pytest.mark.symptom("15a")
async def test_a_route_whose_broker_nothing_starts_is_named(queue_server, published, ask_all, told):
    task = PullBasedJetStreamBroker(queue_server.url).register_task(_task, task_name="app.jobs:job")
    with pytest.raises(SendTaskError, match="Cannot send task to the queue"):
        await task.kiq()
    told(await ask_all(TASKS, LOOKS))


@pytest.mark.symptom("15b")
@pytest.mark.variation("15a", "NAT004")
async def test_a_stream_that_is_missing_gives_the_same_sentence_with_another_cause(
    queue_server, jetstream, ask_all, told
):
    broker = PullBasedJetStreamBroker(queue_server.url)
    await broker.startup()
    await jetstream.delete_stream("taskiq_jetstream")
    with pytest.raises(SendTaskError, match="Cannot send task to the queue") as caught:
        await broker.register_task(_task, task_name="app.jobs:job").kiq()
    assert "no response from stream" in str(caught.value.__cause__)
    await broker.shutdown()
    told(await ask_all(STARTED, LOOKS))


WAITS = {**STARTED, "app/report.py": "async def report(sent):\n    return await sent.wait_result(timeout=5)\n"}


@pytest.mark.symptom("21")
@pytest.mark.filterwarnings("ignore:No result backend configured")
async def test_without_a_backend_a_task_that_never_ran_looks_like_a_success(queue_server, jetstream, ask_all, told):
    broker = PullBasedJetStreamBroker(queue_server.url)
    await broker.startup()
    sent = await broker.register_task(_task, task_name="app.jobs:job").kiq()
    result = await sent.wait_result(timeout=5)
    assert (result.is_err, result.return_value) == (False, None)
    assert (await jetstream.stream_info("taskiq_jetstream")).state.messages == 1
    await broker.shutdown()
    told(await ask_all(WAITS, LOOKS))


@pytest.mark.variation("21", None)
async def test_with_a_backend_a_task_that_never_ran_has_no_result(queue_server, jetstream, ask_all, told):
    broker = PullBasedJetStreamBroker(queue_server.url).with_result_backend(
        NATSObjectStoreResultBackend(queue_server.url)
    )
    await broker.startup()
    sent = await broker.register_task(_task, task_name="app.jobs:job").kiq()
    with pytest.raises(TaskiqResultTimeoutError):
        await sent.wait_result(timeout=0.1, check_interval=0.05)
    await broker.shutdown()
    kept = WAITS["app/tasks.py"].replace(", pull_consume_timeout=1)", ").with_result_backend(BACKEND)")
    told(await ask_all({**WAITS, "app/tasks.py": kept}, LOOKS))


def test_where_no_broker_is_made_a_start_rules_nothing_out(tmp_path: Path):
    (tmp_path / "main.py").write_text("async def main(app):\n    await app.startup()\n")
    assert list(broker_never_started.detect(Source.read(tmp_path))) == []
