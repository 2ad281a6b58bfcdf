"""What a sender sees whose broker was never started, and what one sees that waits for a result nobody keeps."""

from __future__ import annotations

import pytest
from taskiq import SendTaskError
from taskiq_nats import NatsBroker, PullBasedJetStreamBroker

BROKERS = {PullBasedJetStreamBroker: "no attribute 'js'", NatsBroker: "outbound buffer limit"}


async def _task() -> None:
    raise RuntimeError("it fails")


@pytest.mark.parametrize("kind", BROKERS)
async def test_the_library_hides_the_cause_behind_one_sentence(queue_server, kind):
    task = kind(queue_server.url).register_task(_task, task_name="app.jobs:job")
    with pytest.raises(SendTaskError, match="Cannot send task to the queue") as caught:
        await task.kiq()
    assert BROKERS[kind] in str(caught.value.__cause__)


async def test_a_stream_that_is_missing_gives_the_same_sentence_with_another_cause(queue_server, jetstream):
    broker = PullBasedJetStreamBroker(queue_server.url)
    await broker.startup()
    await jetstream.delete_stream("taskiq_jetstream")
    with pytest.raises(SendTaskError, match="Cannot send task to the queue") as caught:
        await broker.register_task(_task, task_name="app.jobs:job").kiq()
    assert "no response from stream" in str(caught.value.__cause__)
    await broker.shutdown()


@pytest.mark.filterwarnings("ignore:No result backend configured")
async def test_without_a_backend_a_task_that_never_ran_looks_like_a_success(queue_server, jetstream):
    broker = PullBasedJetStreamBroker(queue_server.url)
    await broker.startup()
    sent = await broker.register_task(_task, task_name="app.jobs:job").kiq()
    result = await sent.wait_result(timeout=5)
    assert (result.is_err, result.return_value) == (False, None)
    assert (await jetstream.stream_info("taskiq_jetstream")).state.messages == 1
    await broker.shutdown()
