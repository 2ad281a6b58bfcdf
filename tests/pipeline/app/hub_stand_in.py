"""A stand-in for the Hugging Face Hub: what ``snapshot_download`` asks of one model's repository, over real HTTP.

It has one repository, ``knowledge/small``, and says in its answers that it is a stand-in. ``silent``: it takes requests
and answers none, as a network does that drops what is sent.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

REPOSITORY = "knowledge/small"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {"config.json": b'{"model_type": "stand-in"}', "tokenizer.json": b"{}", "model.safetensors": b"\0" * 64}


@dataclass
class Hub:
    """The stand-in as a test sees it: what was asked, and whether it answers."""

    url: str
    silent: bool = False
    requests: list[str] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def asked(self) -> bool:
        return bool(self.requests)

    def answer_at_last(self) -> None:
        """Answer what waits, and all that comes."""
        self.silent = False
        self.released.set()


def _handler(hub: list[Hub]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        server_version = "hub-stand-in"

        def do_HEAD(self) -> None:
            self.respond(with_body=False)

        def do_GET(self) -> None:
            self.respond(with_body=True)

        def respond(self, *, with_body: bool) -> None:
            hub[0].requests.append(f"{self.command} {self.path}")
            if hub[0].silent:
                hub[0].released.wait()
            if hub[0].silent:
                self.close_connection = True
                return
            path = self.path.partition("?")[0]
            name = path.removeprefix(f"/{REPOSITORY}/resolve/{COMMIT}/")
            if path.startswith(f"/api/models/{REPOSITORY}/tree/"):
                tree = [
                    {"type": "file", "path": file, "size": len(content), "oid": etag(content)}
                    for file, content in FILES.items()
                ]
                self.answer(200, json.dumps(tree).encode(), {"Content-Type": "application/json"}, with_body)
            elif path.startswith(f"/api/models/{REPOSITORY}"):
                siblings = [{"rfilename": name} for name in FILES]
                body = {"id": REPOSITORY, "sha": COMMIT, "siblings": siblings, "private": False, "gated": False}
                self.answer(200, json.dumps(body).encode(), {"Content-Type": "application/json"}, with_body)
            elif name in FILES:
                headers = {"ETag": f'"{etag(FILES[name])}"', "X-Repo-Commit": COMMIT}
                self.answer(200, FILES[name], headers, with_body)
            else:
                self.answer(404, b"", {"X-Error-Code": "RepoNotFound"}, with_body)

        def answer(self, status: int, body: bytes, headers: dict[str, str], with_body: bool) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if with_body:
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Be quiet; the requests are kept."""

    return Handler


def etag(body: bytes) -> str:
    return hashlib.sha1(body, usedforsecurity=False).hexdigest()


@contextlib.contextmanager
def serving_hub(port: int = 0, *, silent: bool = False) -> Iterator[Hub]:
    """Serve on a loopback port, by default a free one."""
    known: list[Hub] = []
    server = ThreadingHTTPServer(("127.0.0.1", port), _handler(known))
    server.daemon_threads = True
    hub = Hub(f"http://127.0.0.1:{server.server_address[1]}", silent)
    known.append(hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield hub
    finally:
        hub.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
