"""Canary messages: what is sent through the chain, and how their rows are recognised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from doctor.chain import Chain
from doctor.late import sql

SENTENCES = (
    "the nightly database backup failed again because the disk of the backup server is full",
    "solution for the backup: rotate old database dumps after seven days and alert at eighty percent disk",
    "decision: we move the database backup to object storage next week",
    "how long does a restore of the database backup take at the moment?",
    "insight: a restore test of the backup takes forty minutes, most of it index builds",
    "the search page is slow when many users query embeddings at once",
    "problem: the search query scans all embeddings because the vector index is missing",
    "solution: build an hnsw vector index for the search embeddings",
    "decision: every search query gets a limit and a similarity threshold",
    "insight: search quality drops when the embeddings come from two models",
)
"""Two subjects, so that an extraction finds topics; each canary takes one sentence and its own number."""


@dataclass(frozen=True, slots=True)
class Canaries:
    """The canaries of one verification. ``group`` is the value of the chain's ``isolated_by`` column."""

    marker: str
    group: int
    count: int

    def texts(self) -> list[str]:
        """Return the texts; each carries the marker, by which its row is found."""
        return [f"[{self.marker}-{number:02}] {SENTENCES[number % len(SENTENCES)]}" for number in range(self.count)]

    def updates(self, now: int) -> list[dict[str, Any]]:
        """Return Telegram updates (Bot API, object Update) with ``now`` (seconds since the epoch) as their date."""
        return [
            {
                "update_id": abs(self.group) % 1_000_000_000 + number,
                "message": {
                    "message_id": number + 1,
                    "date": now,
                    "chat": {"id": self.group, "type": "group", "title": self.marker},
                    "from": {"id": 1, "is_bot": True, "first_name": "doctor"},
                    "text": text,
                },
            }
            for number, text in enumerate(self.texts())
        ]


def recognises(chain: Chain, canaries: Canaries) -> sql.Composable:
    """Return the condition that holds for the canaries' rows of the message table, and for no others."""
    marked = sql.SQL("{} LIKE {}").format(sql.Identifier(chain.content), sql.Literal(f"[{canaries.marker}-%"))
    if chain.isolated_by is None:
        return marked
    return sql.SQL("({} AND {} = {})").format(marked, sql.Identifier(chain.isolated_by), sql.Literal(canaries.group))
