"""A real NATS server, with and without JetStream, and everything that may stand in its place."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import nats
import pytest

from doctor.model import Endpoint, Secret
from doctor.resources.jetstream import Consumer
from doctor.resources.nats import (
    JetStreamDisabled,
    Nats,
    NatsError,
    NatsRefused,
    NatsUnreachable,
    StreamNotFound,
)
from doctor.resources.unreachable import Reason

DEADLINE = 0.6


async def _reason(url: str) -> NatsUnreachable:
    """Open what cannot be opened, and return why; within its deadline, and without showing the password."""
    started = time.monotonic()
    with pytest.raises(NatsUnreachable) as caught:
        await Nats(Secret(url), origin=".env:2", timeout=DEADLINE).open()
    assert time.monotonic() - started < DEADLINE * 2 + 1
    assert "hunter2" not in str(caught.value)
    return caught.value


async def _consumer(opened: Nats, settled: Callable[[Consumer], bool]) -> Consumer:
    """Return the only consumer, once it is as expected: the server brings its counts up to date a moment later."""
    async with asyncio.timeout(5):
        while True:
            (consumer,) = await opened.consumers("tasks")
            if settled(consumer):
                return consumer


@pytest.fixture
async def opened(nats_port: int) -> AsyncIterator[Nats]:
    instance = Nats(f"nats://127.0.0.1:{nats_port}", origin=".env:2")
    await instance.open()
    yield instance
    await instance.close()


@pytest.fixture
async def stream(nats_port: int) -> AsyncIterator[Any]:
    """A stream ``tasks`` with subject ``tasks.new``, and the library's own view of it to work with."""
    client = await nats.connect(f"nats://127.0.0.1:{nats_port}")
    jetstream = client.jetstream()
    await jetstream.add_stream(name="tasks", subjects=["tasks.new"], max_age=3600)
    yield jetstream
    await jetstream.delete_stream("tasks")
    await client.close()


async def test_those_who_open_at_once_share_one_attempt_and_its_failure(neighbour: Any):
    attempts = 0

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal attempts
        attempts += 1
        while await reader.read(4096):
            pass

    nats_server = Nats(f"nats://127.0.0.1:{await neighbour(silent)}", origin=".env:2", timeout=DEADLINE)
    failures = await asyncio.gather(*(nats_server.open() for _ in range(3)), return_exceptions=True)
    assert [type(failure) for failure in failures] == [NatsUnreachable] * 3
    assert attempts == 1
    with pytest.raises(NatsUnreachable):
        await nats_server.open()
    assert attempts == 2


async def test_the_server_says_who_it_is(opened: Nats, nats_port: int):
    assert opened.server.name == "with-jetstream"
    assert opened.server.jetstream
    assert opened.server.max_payload == 1_048_576
    assert opened.server_version == opened.server.version
    assert opened.server.version.startswith("2.")
    assert opened.endpoint == Endpoint("nats", f"127.0.0.1:{nats_port}", ".env:2")
    assert opened.is_loopback


async def test_a_round_trip_is_measured(opened: Nats):
    assert 0 < await opened.round_trip() < 1


async def test_a_stream_shows_its_limits_and_what_it_holds(opened: Nats, stream: Any):
    acknowledged = await opened.publish("tasks.new", b"x", {"task": "one"})
    assert (acknowledged.stream, acknowledged.sequence, acknowledged.duplicate) == ("tasks", 1, False)
    (found,) = await opened.streams()
    assert (found.name, found.subjects, found.messages, found.last_sequence) == ("tasks", ("tasks.new",), 1, 1)
    assert (found.retention, found.storage, found.discard) == ("limits", "file", "old")
    assert (found.max_age, found.max_messages, found.max_bytes, found.consumer_count) == (3600, -1, -1, 0)
    assert found.created is not None
    assert found.created.tzinfo is not None


async def test_headers_and_payload_arrive_as_they_were_published(opened: Nats, stream: Any):
    await opened.publish("tasks.new", b"payload", {"task": "one"})
    message = await stream.get_msg("tasks", seq=1)
    assert (message.data, message.headers["task"]) == (b"payload", "one")


async def test_the_same_message_id_is_stored_once(opened: Nats, stream: Any):
    await opened.publish("tasks.new", b"x", {"Nats-Msg-Id": "1"})
    assert (await opened.publish("tasks.new", b"x", {"Nats-Msg-Id": "1"})).duplicate


async def test_a_pull_consumer_shows_who_waits_for_what(opened: Nats, stream: Any):
    subscription = await stream.pull_subscribe(
        "tasks.new", durable="worker", config=nats.js.api.ConsumerConfig(ack_wait=7)
    )
    for _ in range(3):
        await opened.publish("tasks.new", b"x")
    await subscription.fetch(1)
    consumer = await _consumer(opened, lambda consumer: consumer.num_pending == 2)
    assert (consumer.stream, consumer.name, consumer.durable, consumer.pull) == ("tasks", "worker", True, True)
    assert (consumer.num_ack_pending, consumer.num_redelivered, consumer.num_waiting) == (1, 0, 0)
    assert (consumer.ack_wait, consumer.max_deliver, consumer.max_ack_pending) == (7, -1, 1000)
    assert (consumer.ack_policy, consumer.deliver_policy, consumer.delivered_sequence) == ("explicit", "all", 1)
    assert consumer.last_active is not None


async def test_a_push_consumer_is_told_from_a_pull_consumer(opened: Nats, stream: Any):
    await stream.subscribe("tasks.new", durable="pushed", deliver_policy=nats.js.api.DeliverPolicy.NEW)
    consumer = await _consumer(opened, lambda consumer: consumer.push_bound)
    assert (consumer.pull, consumer.deliver_policy) == (False, "new")


async def test_more_consumers_than_one_answer_holds_are_all_listed(opened: Nats, stream: Any):
    for number in range(260):
        await stream.add_consumer("tasks", durable_name=f"c{number:03}", mem_storage=True)
    assert [consumer.name for consumer in await opened.consumers("tasks")] == [f"c{number:03}" for number in range(260)]


@pytest.mark.parametrize("name", ["nosuch", "two words", "a.b", ""])
async def test_a_stream_that_does_not_exist_is_not_found(opened: Nats, name: str):
    with pytest.raises(StreamNotFound):
        await opened.consumers(name)


async def test_publishing_where_nobody_listens_is_told_from_jetstream_being_off(opened: Nats, plain_nats_port: int):
    with pytest.raises(StreamNotFound):
        await opened.publish("nobody.listens", b"x")
    plain = Nats(f"nats://app:correct-horse@127.0.0.1:{plain_nats_port}", origin="test")
    await plain.open()
    assert not plain.server.jetstream
    assert plain.server.auth_required
    for question in (plain.publish("nobody.listens", b"x"), plain.streams(), plain.consumers("tasks")):
        with pytest.raises(JetStreamDisabled, match="-js"):
            await question
    await plain.close()


async def test_a_payload_that_is_too_large_is_refused(opened: Nats, stream: Any):
    with pytest.raises(NatsRefused, match="maximum payload"):
        await opened.publish("tasks.new", b"x" * 1_100_000)


async def test_a_message_that_the_stream_refuses_names_the_code(opened: Nats, stream: Any):
    await stream.update_stream(name="tasks", subjects=["tasks.new"], max_msg_size=10)
    with pytest.raises(NatsRefused) as caught:
        await opened.publish("tasks.new", b"x" * 100)
    assert caught.value.code == 10054  # message size exceeds maximum allowed


async def test_stored_messages_are_looked_at_and_deleted_one_by_one(opened: Nats, stream: Any):
    for text in (b"one", b"two", b"three"):
        await opened.publish("tasks.new", text)
    assert await opened.stream_of_subject("tasks.new") == "tasks"
    second = await opened.next_message("tasks", "tasks.new", 2)
    assert second is not None
    assert (second.sequence, second.data) == (2, b"two")
    await opened.delete_message(second)
    await opened.delete_message(second)
    third = await opened.next_message("tasks", "tasks.new", 2)
    assert third is not None
    assert third.data == b"three"
    assert await opened.next_message("tasks", "tasks.new", 4) is None
    with pytest.raises(StreamNotFound):
        await opened.stream_of_subject("nobody.listens")


async def test_nothing_can_be_asked_before_opening_or_after_closing(nats_port: int):
    closed = Nats(f"nats://127.0.0.1:{nats_port}", origin="test")
    with pytest.raises(NatsUnreachable):
        _ = closed.server
    await closed.open()
    await closed.open()
    await closed.close()
    with pytest.raises(NatsUnreachable) as caught:
        await closed.round_trip()
    assert caught.value.reason is Reason.CLOSED


async def test_the_end_of_the_server_is_noticed_and_its_return_too(restartable: Any):
    restartable.start()
    instance = Nats(f"nats://127.0.0.1:{restartable.port}", origin="test")
    await instance.open()
    restartable.stop()
    async with asyncio.timeout(10):
        while True:
            try:
                await instance.round_trip()
            except NatsError:
                break
    with pytest.raises(NatsUnreachable) as caught:
        await instance.round_trip()
    assert caught.value.reason is Reason.REFUSED
    restartable.start()
    assert await instance.round_trip() > 0
    await instance.close()


async def test_a_dead_port_is_refused(dead_port: int):
    error = await _reason(f"nats://app:hunter2@127.0.0.1:{dead_port}")
    assert error.reason is Reason.REFUSED
    assert error.resource == "nats"
    assert isinstance(error, NatsError)
    assert (await _reason(f"localhost:{dead_port}")).reason is Reason.REFUSED


async def test_an_unknown_host_is_named_as_such():
    assert (await _reason("nats://app:hunter2@nosuch.invalid:4222")).reason is Reason.UNKNOWN_HOST


async def test_a_port_that_listens_and_says_nothing_times_out(silent_port: int):
    assert (await _reason(f"nats://127.0.0.1:{silent_port}")).reason is Reason.TIMEOUT


async def test_a_web_server_in_its_place_is_recognised_by_what_it_says(http_port: int):
    error = await _reason(f"nats://127.0.0.1:{http_port}")
    assert error.reason is Reason.WRONG_PROTOCOL
    assert "HTTP/1.1 404" in error.detail


@pytest.mark.parametrize(
    "words, reason",
    [
        (b"x" * 100_000, Reason.WRONG_PROTOCOL),
        (b"INFO [1]\r\n", Reason.WRONG_PROTOCOL),
        (b'INFO {"max_payload": []}\r\n', Reason.WRONG_PROTOCOL),
        (b"INFO {\r\n", Reason.WRONG_PROTOCOL),
        (b"220 mail.example.com ESMTP\r\n", Reason.WRONG_PROTOCOL),
        (b"", Reason.CLOSED),
    ],
)
async def test_strange_greetings_are_survived(neighbour: Callable[[Any], Awaitable[int]], words: bytes, reason: Reason):
    async def talk(_: Any, writer: Any) -> None:
        writer.write(words)

    assert (await _reason(f"nats://127.0.0.1:{await neighbour(talk)}")).reason is reason


@pytest.mark.parametrize("credentials", ["app:hunter2@", "hunter2@", ""])
async def test_wrong_or_missing_credentials_are_refused_quietly(
    plain_nats_port: int, credentials: str, capfd: pytest.CaptureFixture[str]
):
    error = await _reason(f"nats://{credentials}127.0.0.1:{plain_nats_port}")
    assert error.reason is Reason.AUTHENTICATION
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("url", ["", " , ", "http://app:hunter2@h", "nats://h:99999", "nats://h:port"])
async def test_an_address_that_cannot_be_read_is_invalid(url: str):
    assert (await _reason(url)).reason is Reason.INVALID_ADDRESS
    assert not Nats(url, origin="x").is_loopback


async def test_of_several_servers_the_first_that_answers_is_taken(nats_port: int, dead_port: int):
    several = Nats(f"nats://127.0.0.1:{dead_port}, 127.0.0.1:{nats_port}", origin="test")
    await several.open()
    assert several.server.name == "with-jetstream"
    assert several.endpoint.address == f"127.0.0.1:{dead_port},127.0.0.1:{nats_port}"
    await several.close()
