"""What Telegram, or somebody who pretends to be Telegram, may send."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

WEBHOOK = "/webhook/telegram"


def message(**changes: Any) -> dict[str, Any]:
    """Build a message as Telegram sends it."""
    return {
        "message_id": 5,
        "from": {"id": 11, "is_bot": False, "first_name": "Ada", "last_name": "Byron", "language_code": "en"},
        "chat": {"id": -1_001_234_567_890, "type": "supergroup", "title": "Search"},
        "date": 1_760_000_000,
        "text": "We should rebuild the index",
        "entities": [{"offset": 0, "length": 2, "type": "bold"}],
    } | changes


def update(**kind: Any) -> dict[str, Any]:
    """Build an update of some kind."""
    return {"update_id": 900_000_001, **kind}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"update_id": 1, "message": {"text": "\\ud800"}}',
        b"[" * 100_000,
        json.dumps({}).encode(),
        json.dumps(update(message="text")).encode(),
        json.dumps(update(message=message(chat={}))).encode(),
        json.dumps(update(message=message(chat={"id": "7"}))).encode(),
        json.dumps(update(message=message(chat={"id": 2**63}))).encode(),
        json.dumps(update(message=message(message_id=1.5))).encode(),
        json.dumps(update(message=message(date=-1))).encode(),
        json.dumps(update(message=message(date=10**30))).encode(),
        json.dumps(update(message=message(text=["a"]))).encode(),
        json.dumps(update(message=message(text="a" * 65_537))).encode(),
        json.dumps({"update_id": float("nan")}).encode(),
    ],
)
async def test_a_body_that_is_no_update_is_refused(pipeline: Any, body: bytes) -> None:
    answer = await pipeline.http.post(WEBHOOK, content=body)
    assert answer.status_code == 422
    assert "not an update" in answer.json()["detail"]
    assert await pipeline.queued() == 0


async def test_an_oversized_body_is_refused_while_it_arrives(pipeline: Any) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 65_536
            yield b"a" * 65_536
            await asyncio.sleep(0)

    try:
        status = (await pipeline.http.post(WEBHOOK, content=endless())).status_code
    except httpx.TransportError:  # the server closed the connection while we were still sending
        status = 413
    assert status == 413
    assert sent < 64 * 1_048_576
    assert (await pipeline.http.post(WEBHOOK, content=b"a" * 1_048_577)).status_code == 413


async def test_a_body_that_never_ends_is_given_up(pipeline: Any, settings: Callable[..., None]) -> None:
    settings(webhook_deadline_seconds=0.2)

    async def stalled() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(2)

    assert (await pipeline.http.post(WEBHOOK, content=stalled())).status_code == 408


async def test_the_secret_is_asked_for_when_it_is_set(pipeline: Any, settings: Callable[..., None]) -> None:
    settings(telegram_webhook_secret="open-sesame")
    name = "X-Telegram-Bot-Api-Secret-Token"
    body = update(message=message())
    assert (await pipeline.http.post(WEBHOOK, json=body)).status_code == 401
    assert (await pipeline.http.post(WEBHOOK, json=body, headers={name: "wrong"})).status_code == 403
    assert (await pipeline.http.post(WEBHOOK, json=body, headers={name: "é".encode()})).status_code == 403
    assert await pipeline.queued() == 0
    assert (await pipeline.http.post(WEBHOOK, json=body, headers={name: "open-sesame"})).status_code == 200


@pytest.mark.parametrize(
    "kind",
    [
        {"callback_query": {"id": "1", "data": "x"}},
        {"my_chat_member": {"chat": {"id": 1}}},
        {"message": message(text=None, sticker={"file_id": "x"})},
        {"message": message(text="\x00 \x00")},
        {},
    ],
)
async def test_updates_without_text_are_accepted_and_ignored(pipeline: Any, kind: dict[str, Any]) -> None:
    answer = await pipeline.http.post(WEBHOOK, json=update(**kind))
    assert (answer.status_code, answer.json()) == (200, {"ok": True, "queued": False})
    assert await pipeline.queued() == 0


@pytest.mark.parametrize(
    ("kind", "sender", "content"),
    [
        ({"message": message()}, "Ada Byron", "We should rebuild the index"),
        ({"message": message(**{"from": {"id": 3}})}, "3", "We should rebuild the index"),
        ({"message": message(text=None, caption="A picture \U0001f4c8")}, "Ada Byron", "A picture \U0001f4c8"),
        ({"message": message(text="a\x00b \U0001f600\u200d")}, "Ada Byron", "ab \U0001f600\u200d"),
        ({"channel_post": message(**{"from": None})}, None, "We should rebuild the index"),
        (
            {
                "channel_post": message(
                    **{"from": None, "sender_chat": {"id": -100, "type": "channel", "title": "News"}}
                )
            },
            "News",
            "We should rebuild the index",
        ),
        ({"edited_message": message(edit_date=1_760_000_009)}, "Ada Byron", "We should rebuild the index"),
        ({"message": message(text="x" * 65_536)}, "Ada Byron", "x" * 65_536),
        ({"message": message(text="\U0001f600" * 65_536)}, "Ada Byron", "\U0001f600" * 65_536),
    ],
)
async def test_messages_of_every_kind_are_saved(pipeline: Any, kind: dict[str, Any], sender: str, content: str) -> None:
    body = json.dumps(update(**kind), ensure_ascii=False).encode()
    answer = await pipeline.http.post(WEBHOOK, content=body)
    assert (answer.status_code, answer.json()) == (200, {"ok": True, "queued": True})
    assert await pipeline.work() == ["save_telegram_message", "score_message_task"]
    (row,) = await pipeline.rows("SELECT external_id, sender, content FROM messages")
    assert row == {"external_id": "-1001234567890:5", "sender": sender, "content": content}


async def test_the_same_update_twice_has_its_effect_once(pipeline: Any) -> None:
    for _ in range(3):
        assert (await pipeline.http.post(WEBHOOK, json=update(message=message()))).status_code == 200
    ran = await pipeline.work()
    assert ran.count("save_telegram_message") == 3
    assert await pipeline.value("SELECT count(*) FROM messages") == 1
    await pipeline.http.post(WEBHOOK, json=update(message=message()))
    assert await pipeline.work() == ["save_telegram_message"]  # it has its score: nothing is left to do


async def test_an_edit_goes_through_the_chain_afresh_and_an_older_revision_changes_nothing(pipeline: Any) -> None:
    edit = message(text="We must not rebuild the index", edit_date=1_760_000_100)
    await pipeline.http.post(WEBHOOK, json=update(edited_message=edit))
    await pipeline.work()
    await pipeline.http.post(WEBHOOK, json=update(message=message()))
    assert await pipeline.work() == ["save_telegram_message"]
    later = message(text="We rebuilt it", edit_date=1_760_000_200)
    await pipeline.http.post(WEBHOOK, json=update(edited_message=later))
    assert await pipeline.work() == ["save_telegram_message", "score_message_task"]
    assert await pipeline.value("SELECT content FROM messages") == "We rebuilt it"
