"""What a pipeline that ran before its embedding task was connected has: messages and atoms without vectors."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

#: The chat that the history belongs to; nothing else is ever sent there.
CHAT_ID = -1_001_700_000_001

SUBJECTS = (
    "connection pool", "vector search", "webhook", "task queue", "nightly backup", "agent prompt", "rate limiter",
    "login form", "billing export", "log retention", "model cache", "feature flag",
)  # fmt: skip
REMARKS = (
    ("problem", "The {subject} fails under load, the error shows up in the logs every few minutes"),
    ("solution", "Fixed the {subject} by adding a timeout and one retry"),
    ("decision", "We decided to move the {subject} behind the queue in the next release"),
    ("insight", "Turns out the {subject} was configured twice, and the second setting won"),
    ("question", "Who owns the {subject} now that the old service is gone?"),
    ("requirement", "The {subject} must report its version and its last success"),
)

INSERT_TOPICS = """
    INSERT INTO topics (chat_id, name, description, created_at)
    SELECT %(chat_id)s, name, 'Before the embedding task was connected', now() - interval '60 days'
    FROM unnest(%(names)s::text[]) AS name
    ON CONFLICT DO NOTHING
"""
# Older than the look-back of 24 hours, so that no extraction ever takes them; three hours apart.
INSERT_MESSAGES = """
    INSERT INTO messages (external_id, chat_id, sender, content, sent_at, revised_at, created_at, importance_score,
                          noise_class, topic_id)
    SELECT 'history:' || number, %(chat_id)s, 'anna', content, moment, moment, moment, 0.6, 'signal', topics.id
    FROM unnest(%(numbers)s::int[], %(contents)s::text[], %(names)s::text[]) AS made (number, content, name)
    CROSS JOIN LATERAL (SELECT now() - interval '48 hours' - number * interval '3 hours' AS moment) AS times
    JOIN topics ON topics.chat_id = %(chat_id)s AND lower(topics.name) = lower(made.name)
    ON CONFLICT (external_id) DO NOTHING
"""
INSERT_ATOMS = """
    INSERT INTO atoms (type, title, content, confidence, chat_id, topic_id, created_at)
    SELECT kind, title, content, 0.8, %(chat_id)s, topics.id, now() - interval '48 hours' - number * interval '5 hours'
    FROM unnest(%(numbers)s::int[], %(kinds)s::text[], %(titles)s::text[], %(contents)s::text[], %(names)s::text[])
         AS made (number, kind, title, content, name)
    JOIN topics ON topics.chat_id = %(chat_id)s AND lower(topics.name) = lower(made.name)
    WHERE NOT EXISTS (SELECT FROM atoms WHERE atoms.chat_id = %(chat_id)s AND atoms.title = made.title)
"""
FORGET_VECTORS = tuple(
    f"UPDATE {table} SET embedding = NULL, embedding_model = NULL WHERE chat_id = %(chat_id)s AND embedding IS NOT NULL"
    for table in ("messages", "atoms")
)
REMOVE_UNEMBEDDED = (
    "DELETE FROM messages WHERE chat_id = %(chat_id)s AND embedding IS NULL",
    "DELETE FROM atoms WHERE chat_id = %(chat_id)s AND embedding IS NULL",
    """
    DELETE FROM topics WHERE chat_id = %(chat_id)s
      AND NOT EXISTS (SELECT FROM messages WHERE messages.topic_id = topics.id)
      AND NOT EXISTS (SELECT FROM atoms WHERE atoms.topic_id = topics.id)
    """,
)


@dataclass(frozen=True, slots=True)
class HistoryAdded:
    """How many rows were added; rows that were there already are not counted."""

    messages: int
    atoms: int


def add_history(connection: psycopg.Connection[tuple[object, ...]], messages: int, atoms: int) -> HistoryAdded:
    """Add messages and atoms without vectors; what is there already stays as it is.

    Raises:
        psycopg.Error: the database cannot be reached, or its tables are others.
    """
    rows = [_remark(number) for number in range(max(messages, atoms))]
    with connection.transaction():
        connection.execute(INSERT_TOPICS, {"chat_id": CHAT_ID, "names": list(SUBJECTS)})
        added_messages = connection.execute(
            INSERT_MESSAGES,
            {
                "chat_id": CHAT_ID,
                "numbers": list(range(messages)),
                "contents": [content for _, _, content in rows[:messages]],
                "names": [subject for subject, _, _ in rows[:messages]],
            },
        ).rowcount
        added_atoms = connection.execute(
            INSERT_ATOMS,
            {
                "chat_id": CHAT_ID,
                "numbers": list(range(atoms)),
                "kinds": [kind for _, kind, _ in rows[:atoms]],
                "titles": [
                    f"{kind.capitalize()}: {subject}, {n + 1}" for n, (subject, kind, _) in enumerate(rows[:atoms])
                ],
                "contents": [content for _, _, content in rows[:atoms]],
                "names": [subject for subject, _, _ in rows[:atoms]],
            },
        ).rowcount
    return HistoryAdded(added_messages, added_atoms)


def forget_vectors(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """Take the vectors of the history away."""
    with connection.transaction():
        for statement in FORGET_VECTORS:
            connection.execute(statement, {"chat_id": CHAT_ID})


def remove_unembedded(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """Remove the history's rows that have no vector."""
    with connection.transaction():
        for statement in REMOVE_UNEMBEDDED:
            connection.execute(statement, {"chat_id": CHAT_ID})


def _remark(number: int) -> tuple[str, str, str]:
    """Return subject, kind and text of the n-th remark; no two texts are equal."""
    subject = SUBJECTS[number % len(SUBJECTS)]
    kind, text = REMARKS[number // len(SUBJECTS) % len(REMARKS)]
    round_number = number // (len(SUBJECTS) * len(REMARKS))
    suffix = f" (sprint {round_number + 1})" if round_number else ""
    return subject, kind, text.format(subject=subject) + suffix
