"""The monitoring page of NATS, and everything else that may answer there: bounded, and told as not known."""

from __future__ import annotations

import asyncio
import time

import pytest

from doctor.resources import nats_monitoring
from doctor.resources.nats_monitoring import Listeners, MonitoringUnavailableError, listeners, monitoring_url

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b'{"total": 1}', b'{"total": 1, "subscriptions_list": 5}', b"\xff\xfe", b"[" * 100_000],
)
async def test_what_is_no_page_of_nats_is_not_known(neighbour, body):
    async def talk(reader, writer):
        await reader.read(4096)
        writer.write(HEAD + body)

    with pytest.raises(MonitoringUnavailableError, match="cannot be read"):
        await listeners(f"http://127.0.0.1:{await neighbour(talk)}", "tasks")


async def test_a_page_without_end_is_left_after_some_bytes(neighbour, monkeypatch):
    monkeypatch.setattr(nats_monitoring, "LIMIT", 1_000)

    async def talk(reader, writer):
        await reader.read(4096)
        writer.write(HEAD)
        while True:
            writer.write(b" " * 1_000)
            await writer.drain()

    with pytest.raises(MonitoringUnavailableError):
        await listeners(f"http://127.0.0.1:{await neighbour(talk)}", "tasks")


async def test_a_page_that_drips_ends_at_the_deadline(neighbour, monkeypatch):
    monkeypatch.setattr(nats_monitoring, "TIMEOUT", 0.3)

    async def talk(reader, writer):
        await reader.read(4096)
        writer.write(HEAD)
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.05)

    started = time.monotonic()
    with pytest.raises(MonitoringUnavailableError):
        await listeners(f"http://127.0.0.1:{await neighbour(talk)}", "tasks")
    assert time.monotonic() - started < 2


def test_a_message_is_delivered_once_to_each_group_and_to_each_listener_without_one():
    assert Listeners(("a", "a", "b"), 2).copies == 4


@pytest.mark.parametrize(
    ("server", "given", "url"),
    [
        ("nats:4222", None, "http://nats:8222"),
        ("[::1]:4222,b:4222", None, "http://[::1]:8222"),
        ("nats:4222", "http://m:9/", "http://m:9"),
    ],
)
def test_the_pages_are_where_it_is_said_or_on_the_usual_port(server, given, url):
    assert monitoring_url(server, given) == url
