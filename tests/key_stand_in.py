"""The identity provider's stand-in on a real socket, in a thread of the test process: its state can be reached."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import uvicorn

from doctor.pipeline.sandbox.keys.application import KeyServer, build_application
from doctor.pipeline.sandbox.keys.behaviour import Behaviour, Mode
from doctor.pipeline.sandbox.keys.identity import publishable_key
from doctor.pipeline.sandbox.keys.instance import Instance, SigningKey, new_key
from doctor.pipeline.sandbox.ports import free_port

SECRET_KEY = "sk_test_" + "Kq7vR2mX9tLw4bNz" * 2
"""What opens the stand-in's ``/v1/jwks``; planted, and searched for in every output."""


@dataclass
class KeyStandIn:
    """A running stand-in: its address, its state, and tokens."""

    url: str
    server: KeyServer
    first_key: SigningKey

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")

    @property
    def jwks_url(self) -> str:
        return f"{self.url}/.well-known/jwks.json"

    @property
    def instance(self) -> Instance:
        return self.server.instance

    @property
    def publishable_key(self) -> str:
        return publishable_key(self.host)

    def behave(self, mode: Mode = "right", **others: Any) -> None:
        self.server.behave(Behaviour(mode=mode, **others))

    def mint(self, age: float = 0.0, **wanted: Any) -> str:
        return self.instance.mint(self.server.clock() - age, **wanted)

    def stop_the_clock(self) -> float:
        """Let no time pass any more, until it is restored, and return what it is."""
        now = float(int(time.time()))
        self.server.clock = lambda: now
        return now

    def hits(self, path: str = "/.well-known/jwks.json") -> int:
        return self.server.requests[path]

    def restore(self) -> None:
        """Make it as it was: nothing rotated, nothing broken, nothing counted."""
        self.server.instance.current = self.first_key
        self.server.instance.previous = None
        self.server.clock = time.time
        self.server.behave(Behaviour())
        self.server.requests.clear()


@contextlib.contextmanager
def serving() -> Iterator[KeyStandIn]:
    """Serve a stand-in until the block ends."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    state = KeyServer(Instance(url, new_key(), SECRET_KEY))
    config = uvicorn.Config(
        build_application(state),
        port=port,
        log_level="critical",
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    yield KeyStandIn(url, state, state.instance.current)
    server.should_exit = server.force_exit = True
    thread.join(10)
