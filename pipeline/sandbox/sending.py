"""Sending Telegram updates through the real webhook, each text and each number once."""

from __future__ import annotations

import json
from collections.abc import Mapping

import httpx

from doctor.pipeline.sandbox.conversation import update
from doctor.pipeline.sandbox.errors import NotRunningError, SandboxError
from doctor.pipeline.sandbox.files import read_json, replace_text
from doctor.pipeline.sandbox.layout import Layout

TIMEOUT_SECONDS = 10.0
HEADER = "X-Telegram-Bot-Api-Secret-Token"


def send_updates(layout: Layout, environment: Mapping[str, str], count: int, chat_id: int) -> list[str]:
    """Send ``count`` messages of one chat; returns their external ids, ``<chat>:<message>``.

    Raises:
        NotRunningError: the webhook does not answer.
        SandboxError: it refuses an update; its words are in the message.
    """
    headers = {HEADER: environment["TELEGRAM_WEBHOOK_SECRET"]}
    first = _reserve(layout, chat_id, count)
    sent = []
    with httpx.Client(
        base_url=environment["API_URL"], headers=headers, timeout=TIMEOUT_SECONDS, trust_env=False
    ) as client:
        for number in range(first, first + count):
            try:
                answer = client.post("/webhook/telegram", json=update(number, chat_id, number + 1))
            except httpx.HTTPError as error:
                raise NotRunningError(f"the webhook does not answer: {error}; see logs/api.log") from error
            if answer.is_error:
                raise SandboxError(f"the webhook refused an update ({answer.status_code}): {answer.text[:500]}")
            sent.append(f"{chat_id}:{number + 1}")
    return sent


def _reserve(layout: Layout, chat_id: int, count: int) -> int:
    """Take the next numbers of a chat, so that no message is sent twice; returns the first, from 0."""
    path = layout.data / "messages.json"
    numbers = read_json(path) or {}
    first = int(numbers.get(str(chat_id), 0))
    replace_text(path, json.dumps({**numbers, str(chat_id): first + count}))
    return first
