"""An address that takes no connection and refuses none: what a firewall does that drops packets.

A stand-in on a real socket: its queue of connections is full, so the kernel drops every further attempt (Linux).
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

ATTEMPT = 0.1
"""Seconds after which an attempt that was dropped counts as such."""


@contextmanager
def black_hole() -> Iterator[int]:
    """Yield a port of this machine on which connecting never ends."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        port = server.getsockname()[1]
        queued: list[socket.socket] = []
        try:
            _fill(port, queued)
            yield port
        finally:
            for one in queued:
                one.close()


def _fill(port: int, queued: list[socket.socket]) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        one = socket.socket()
        one.settimeout(ATTEMPT)
        try:
            one.connect(("127.0.0.1", port))
        except TimeoutError:
            one.close()
            return
        queued.append(one)
    raise AssertionError("the queue of connections is never full")
