"""An ASGI application on a real socket of this process, in a thread of its own."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import uvicorn

from doctor.pipeline.sandbox.ports import free_port


@contextlib.contextmanager
def serving(application: Any, *, server_header: str = "stand-in") -> Iterator[str]:
    """Serve on a free loopback port; yields the URL."""
    port = free_port()
    config = uvicorn.Config(
        application,
        port=port,
        log_level="critical",
        server_header=False,
        headers=[("Server", server_header)],
        timeout_graceful_shutdown=1,
        lifespan="off",
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 20
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        assert time.monotonic() < until, "the server did not start in time"
        time.sleep(0.005)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(20)
