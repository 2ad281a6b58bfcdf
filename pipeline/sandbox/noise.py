"""What happens to every pipeline and is no fault: a diagnosis that names it cries wolf."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import httpx

from doctor.pipeline.sandbox.errors import DeadlineError
from doctor.pipeline.sandbox.resetting import settled

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

CHAT = -1_001_700_000_009
MESSAGES = 15
TIMEOUT = 10.0
"""Seconds that the API has for an answer."""

DEADLINE = 40.0
"""Seconds in which all messages must have come through."""

THROUGH = "SELECT count(*) FROM messages WHERE chat_id = %s AND importance_score IS NOT NULL"


def messages_come_through(sandbox: Sandbox) -> None:
    """Send as many messages as an extraction takes, and wait until they are scored."""
    sandbox.send_messages(MESSAGES, CHAT)
    until = time.monotonic() + DEADLINE
    with sandbox.connect() as connection:
        while connection.execute(THROUGH, [CHAT]).fetchone() != (MESSAGES,):
            if time.monotonic() > until:
                raise DeadlineError(f"{MESSAGES} messages were not scored within {DEADLINE:g} s")
            time.sleep(0.05)
    settled(sandbox)


def code_is_saved_again(sandbox: Sandbox) -> None:
    """Change a file and take it back, as an editor does: API and worker start again, twice."""
    path = sandbox.layout.app / "retry.py"
    text = path.read_bytes()
    for content in (text + b"\n# saved\n", text):
        path.write_bytes(content)
        os.utime(path)
        sandbox.await_code_restart()


def client_asks_for_what_is_not_there(sandbox: Sandbox) -> None:
    """Ask for pages that there are not, and send what no message is."""
    url = sandbox.environment()["API_URL"]
    with httpx.Client(base_url=url, timeout=TIMEOUT, trust_env=False) as client:
        for path in ("/favicon.ico", "/api/v1/topics/999999", "/wp-login.php"):
            client.get(path)
        client.post("/webhook/telegram", content=b"{}")


def model_server_comes_back(sandbox: Sandbox) -> None:
    """Stop the model server while messages wait, and start it again: their tasks are tried again and succeed."""
    sandbox.stop("models")
    sandbox.send_messages(3, CHAT)
    sandbox.start("models")
    settled(sandbox)


NOISE: dict[str, Callable[[Sandbox], None]] = {
    "messages-come-through": messages_come_through,
    "code-is-saved-again": code_is_saved_again,
    "client-asks-for-what-is-not-there": client_asks_for_what_is_not_there,
    "model-server-comes-back": model_server_comes_back,
}
