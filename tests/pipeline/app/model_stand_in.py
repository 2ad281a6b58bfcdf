"""A stand-in for the model server: real HTTP, as much of Ollama's and OpenAI's protocols as the application uses."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import re
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DIMENSIONS = 64


@dataclass
class Models:
    """What the stand-in has, gives and was asked.

    ``answers`` are given to chats in order, as they are; without one, a correct answer is made from the prompt.
    ``requests`` holds what was asked: (path, body).
    """

    port: int = 0
    names: set[str] = field(default_factory=set)
    answers: deque[str | tuple[int, str]] = field(default_factory=deque)
    vector: list[float] | None = None
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    delay: float = 0.0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def reset(self) -> None:
        self.names = {"chat:latest", "spare:latest", "nomic-embed-text:latest"}
        self.answers.clear()
        self.requests.clear()
        self.headers.clear()
        self.vector = None
        self.delay = 0.0

    def asked(self, path: str) -> list[dict[str, Any]]:
        return [body for asked, body in self.requests if asked == path]

    def reply(self, path: str, body: dict[str, Any]) -> tuple[int, object]:
        if path in ("/api/tags", "/v1/models"):
            key = "model" if path == "/api/tags" else "id"
            models = [{key: name} for name in sorted(self.names)]
            return 200, {"models": models} if path == "/api/tags" else {"object": "list", "data": models}
        time.sleep(self.delay)
        name = body.get("model", "")
        if (name if ":" in name else f"{name}:latest") not in self.names:
            return 404, {"error": f"model '{name}' not found"}
        if path == "/api/embed":
            return 200, {"model": name, "embeddings": [self.vector or vector_of(text) for text in body["input"]]}
        text = self.answers.popleft() if self.answers else knowledge_of(body["messages"][-1]["content"])
        if isinstance(text, tuple):
            return text[0], {"error": text[1]}
        message = {"role": "assistant", "content": text}
        if path == "/api/chat":
            return 200, {"model": name, "message": message, "done": True, "done_reason": "stop"}
        return 200, {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}


def vector_of(text: str) -> list[float]:
    """Make a unit vector out of the words of a text; texts that share words are near each other."""
    values = [0.0] * DIMENSIONS
    for word in re.findall(r"\w+", text.lower()):
        values[int(hashlib.sha256(word.encode()).hexdigest(), 16) % DIMENSIONS] += 1.0
    length = math.hypot(*values) or 1.0
    return [value / length for value in values]


def knowledge_of(prompt: str) -> str:
    """Make two topics (all messages but the last, which is left out), three atoms and a link out of a batch."""
    lines = [(int(number), text) for number, text in re.findall(r"^\[(\d+)\] (.*)$", prompt, re.MULTILINE)]
    ids = [number for number, _ in lines]
    half = len(ids) // 2
    titles = [f"{lines[index % len(lines)][1][:40]} ({index})" for index in range(3)]
    atoms = [
        {
            "type": kind,
            "title": title,
            "content": f"About {title}",
            "topic": "Indexes",
            "message_ids": ids[:1],
            "confidence": 0.9,
        }
        for kind, title in zip(("problem", "solution", "insight"), titles, strict=True)
    ]
    topics = [
        {"name": "Indexes", "description": "About indexes", "message_ids": ids[:half]},
        {"name": "Releases", "description": "About releases", "message_ids": ids[half:-1]},
    ]
    return json.dumps(
        {"topics": topics, "atoms": atoms, "links": [{"from": titles[1], "to": titles[0], "type": "solves"}]}
    )


@contextlib.contextmanager
def serving() -> Iterator[Models]:
    """Serve on a free loopback port."""
    models = Models()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _handle(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else {}
            models.requests.append((self.path, body))
            models.headers.append({name.lower(): value for name, value in self.headers.items()})
            status, answer = models.reply(self.path, body)
            payload = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        do_GET = do_POST = _handle

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    models.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield models
    server.shutdown()
    thread.join()
    server.server_close()
