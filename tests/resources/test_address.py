"""Names resolve within a deadline; this machine is told from others."""

from __future__ import annotations

import asyncio
import socket
import threading
import time

import pytest

from doctor.resources.address import in_url, is_loopback, is_numeric, resolve


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]", "/var/run/postgresql", "db.localhost"]
)
def test_this_machine_is_recognised(host: str):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["db", "10.0.0.5", "example.com", "localhost.example.com", "0.0.0.0", "fe80::1%eth0"])
def test_other_machines_are_not_taken_for_this_one(host: str):
    assert not is_loopback(host)


def test_an_ipv6_address_gets_brackets_in_a_url():
    assert in_url("::1") == "[::1]"
    assert in_url("[::1]") == "[::1]"
    assert in_url("db") == "db"
    assert is_numeric("[::1]")
    assert not is_numeric("db")


async def test_a_known_name_and_an_address_resolve():
    await resolve("localhost", 80, 2)
    await resolve("127.0.0.1", 80, 0.0001)


@pytest.mark.parametrize("name", ["nosuch.invalid", "a" * 70 + ".invalid", "a..b"])
async def test_an_unknown_or_impossible_name_is_an_unknown_host(name: str):
    with pytest.raises(socket.gaierror):
        await resolve(name, 80, 5)


async def test_a_resolver_that_hangs_costs_no_more_than_the_deadline(monkeypatch: pytest.MonkeyPatch):
    release = threading.Event()

    def hang(*_: object, **__: object) -> None:
        release.wait(30)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        await resolve("slow.invalid", 80, 0.1)
    assert time.monotonic() - started < 5
    release.set()
    for thread in threading.enumerate():
        if thread.name == "resolve slow.invalid":
            await asyncio.to_thread(thread.join, 5)
