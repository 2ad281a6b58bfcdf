"""A stand-in for a model server: it speaks Ollama's ``/api/embed`` on a real socket, and fails as it is told.

No model runs here. A vector depends on its text alone, so that a vector that is not of its row's text can be told.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DIMENSIONS = 8


def vector_of(text: str) -> list[float]:
    """Return the vector of a text: whole numbers, which survive every way into a database and back."""
    return [float(byte + 1) for byte in hashlib.sha256(text.encode()).digest()[:DIMENSIONS]]


@dataclass(frozen=True)
class Answer:
    """One answer: status, body, and headers beside those that every answer has."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


Behaviour = Callable[[Sequence[str]], Answer | None]
"""What to answer to these texts; None: their vectors."""


class StandIn:
    """The server's address, what it was asked, and how it behaves. ``seconds`` is what a batch takes."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.asked: Counter[str] = Counter()
        self.seconds = 0.0
        self.behaviour: Behaviour = lambda _texts: None
        self._lock = threading.Lock()

    def answer(self, texts: Sequence[str]) -> Answer:
        """Answer one request; what is answered with vectors counts as embedded."""
        time.sleep(self.seconds)
        with self._lock:
            told = self.behaviour(texts)
            if told is not None:
                return told
            self.asked.update(text for text in texts if text != "doctor")
        return vectors(*map(vector_of, texts))

    def twice(self) -> list[str]:
        """Return the texts that were embedded more than once."""
        return [text for text, times in self.asked.items() if times > 1]


def vectors(*values: Sequence[float]) -> Answer:
    """Return an answer with these vectors."""
    return Answer({"model": "stand-in", "embeddings": list(values)})


@contextmanager
def serving() -> Iterator[StandIn]:
    """Serve on a free port until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        server_version = "stand-in-for-ollama"

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = stand_in.answer(request["input"])
            data = json.dumps(answer.body).encode()
            self.send_response(answer.status)
            for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, *_: Any) -> None:  # a worker that was killed has hung up
            pass

    server = Server(("127.0.0.1", 0), Handler)
    stand_in = StandIn(server.server_port)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
