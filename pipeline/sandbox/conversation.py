"""What the people of a sandbox write: the same texts every time, about a few subjects, with things to learn from."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

#: Three subjects, in turns; each has a problem, its cause, its solution and a decision.
LINES = (
    "The webhook times out when Telegram sends a long update, we get an error 408 about twice an hour",
    "Search over the vector index is slow since the migration, queries take 900 ms",
    "The release is stuck: the deploy job fails at the database migration step",
    "I noticed the webhook waits for the database before it answers, that is the root cause of the timeout",
    "Turns out the vector index was left invalid by a failed concurrent build",
    "The deploy fails because two migration files have the same version number",
    "Fixed: the webhook now puts the update into the queue and answers at once, latency is down to 12 ms",
    "Rebuilding the vector index concurrently solved it, queries are back at 8 ms",
    "Renaming the second migration file fixed the deploy, release 2.4 is out",
    "We decided that the webhook never touches a model or a slow table, everything goes through the queue",
    "Decision: every vector index gets a check for validity after a migration",
    "We agreed to have the deploy job refuse two migration files with one version",
    "Should the webhook also limit the size of an update?",
    "How many rows until the planner uses the vector index at all?",
    "The deploy must print which migration it is at, otherwise nobody can tell a slow one from a stuck one",
    "The webhook limit is 1 MiB per update now, larger ones get a clear 413",
    "Below roughly 3000 rows a sequential scan beats the vector index, so its absence there is no problem",
    "The deploy log shows the migration step and its duration since this morning",
)

SENDERS = ("anna", "boris", "chen", "dalia")


def text_of(number: int) -> str:
    """Return the text of the n-th message, counted from 0; no two are equal."""
    turn, line = divmod(number, len(LINES))
    return LINES[line] if turn == 0 else f"{LINES[line]} (seen again, {turn + 1})"


def update(number: int, chat_id: int, message_id: int, moment: datetime | None = None) -> dict[str, Any]:
    """Return a Telegram update with the n-th text, as a webhook receives it (core.telegram.org/bots/api#update)."""
    date = int((moment or datetime.now(UTC)).timestamp())
    sender = SENDERS[number % len(SENDERS)]
    return {
        "update_id": 100_000_000 + abs(chat_id) % 1_000_000 * 1_000 + message_id,
        "message": {
            "message_id": message_id,
            "from": {
                "id": 500_000 + number % len(SENDERS),
                "is_bot": False,
                "first_name": sender.capitalize(),
                "username": sender,
                "language_code": "en",
            },
            "chat": {"id": chat_id, "title": "Platform team", "type": "supergroup"},
            "date": date,
            "text": text_of(number),
        },
    }
