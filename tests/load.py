"""Load on a sandbox, with an exact account of every message that was accepted."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

import httpx
import nats

from doctor.pipeline.sandbox.conversation import update
from doctor.pipeline.sandbox.sandbox import Sandbox
from doctor.pipeline.sandbox.sending import HEADER

FIRST_CHAT = -900_000
CHATS = 4
POLL = 0.2
THRESHOLD = 10

ACCOUNT = """
    WITH waiting AS (
        SELECT chat_id, count(*) AS many FROM messages
        WHERE importance_score IS NOT NULL AND topic_id IS NULL AND extraction_id IS NULL GROUP BY chat_id
    )
    SELECT m.external_id, count(*) OVER (PARTITION BY m.external_id) AS copies,
        m.importance_score IS NOT NULL AND CASE
            WHEN m.extraction_id IS NULL THEN w.many < %(threshold)s
            ELSE e.status = 'completed' AND m.embedding IS NOT NULL
        END AS final
    FROM messages AS m
    LEFT JOIN extractions AS e ON e.id = m.extraction_id
    LEFT JOIN waiting AS w ON w.chat_id = m.chat_id
"""
"""Final: scored, and either waiting for the threshold or worked on by a completed extraction and embedded."""

TWICE = """
    SELECT 'atom', title FROM atoms GROUP BY extraction_id, title, content HAVING count(*) > 1
    UNION ALL SELECT 'topic', min(name) FROM topics GROUP BY chat_id, lower(name) HAVING count(*) > 1
    UNION ALL SELECT 'extraction', each::text FROM extractions, unnest(message_ids) AS each
        WHERE status = 'completed' GROUP BY each HAVING count(*) > 1
    UNION ALL SELECT 'without vector', title FROM atoms WHERE embedding IS NULL
"""


@dataclass(slots=True)
class Sent:
    """What the webhook said: external ids that it accepted, how many it refused, how many calls broke off."""

    accepted: list[str] = field(default_factory=list)
    refused: int = 0
    broken: int = 0
    seconds: list[float] = field(default_factory=list)
    """How long each accepted call took."""


@dataclass(frozen=True, slots=True)
class Account:
    """Where the accepted messages are, how many tasks the queue holds, and the dead letters."""

    accepted: int
    final: int
    lost: tuple[str, ...]
    twice: tuple[tuple[str, str], ...]
    queued: int
    letters: tuple[str, ...]

    @property
    def is_settled(self) -> bool:
        """Whether every message is in its final state once, and nothing is left to do."""
        return self.final == self.accepted and not (self.lost or self.twice or self.queued or self.letters)


async def send(sandbox: Sandbox, rate: float, seconds: float, *, first: int = 0, url: str | None = None) -> Sent:
    """Send ``rate`` messages a second for so many seconds, whatever the answers; numbers begin with ``first``."""
    environment = sandbox.environment()
    sent = Sent()
    headers = {HEADER: environment["TELEGRAM_WEBHOOK_SECRET"]}
    async with httpx.AsyncClient(
        base_url=url or environment["API_URL"], headers=headers, timeout=15, trust_env=False
    ) as client:

        async def one(number: int) -> None:
            chat, message = FIRST_CHAT + number % CHATS, number // CHATS + 1
            started = time.monotonic()
            try:
                answer = await client.post("/webhook/telegram", json=update(number, chat, message))
            except httpx.HTTPError:
                sent.broken += 1
                return
            if answer.is_success:
                sent.accepted.append(f"{chat}:{message}")
                sent.seconds.append(time.monotonic() - started)
            else:
                assert answer.status_code == 503, answer.text
                sent.refused += 1

        started = time.monotonic()
        async with asyncio.TaskGroup() as calls:
            for number in range(first, first + int(rate * seconds)):
                await asyncio.sleep(max(0.0, started + (number - first) / rate - time.monotonic()))
                calls.create_task(one(number))
    return sent


async def account(sandbox: Sandbox, accepted: list[str]) -> Account:
    """Look where the accepted messages are now."""
    with sandbox.connect() as connection:
        rows = {row[0]: row for row in connection.execute(ACCOUNT, {"threshold": THRESHOLD}).fetchall()}
        twice = connection.execute(TWICE).fetchall()
        letters = connection.execute("SELECT task, arguments::text, error FROM failed_tasks").fetchall()
    copies = [("message", name) for name, row in rows.items() if int(str(row[1])) > 1]
    return Account(
        accepted=len(accepted),
        final=sum(bool(rows[name][2]) for name in accepted if name in rows),
        lost=tuple(name for name in accepted if name not in rows),
        twice=(*copies, *((str(kind), str(what)) for kind, what in twice)),
        queued=await queued(sandbox),
        letters=tuple(" ".join(map(str, letter)) for letter in letters),
    )


async def queued(sandbox: Sandbox) -> int:
    """Return how many tasks the queue holds, those under way among them."""
    client = await nats.connect(sandbox.environment()["NATS_URL"], connect_timeout=2, max_reconnect_attempts=2)
    try:
        return (await client.jetstream().stream_info("taskiq_jetstream")).state.messages
    finally:
        await client.close()


async def settle(sandbox: Sandbox, accepted: list[str], patience: float) -> Account:
    """Wait until every accepted message is settled, at most ``patience`` seconds, and return the last account."""
    end = time.monotonic() + patience
    while not (now := await account(sandbox, accepted)).is_settled and time.monotonic() < end:
        await asyncio.sleep(POLL)
    return now
