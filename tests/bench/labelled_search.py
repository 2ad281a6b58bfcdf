"""A small labelled set for the search: what people wrote about eight subjects, and what others ask about them later.

The questions do not repeat a message; how far words alone carry is part of what is measured.
"""

from __future__ import annotations

MESSAGES: dict[str, tuple[str, ...]] = {
    "pool": (
        "The connection pool is exhausted every morning at nine, requests wait for a free connection",
        "Raised the pool from 10 to 30 connections and added a timeout for the wait",
        "Turns out the report job kept its connections open in a transaction, so the pool ran dry",
        "Decision: every service gets a pool of its own and never more than 30 connections",
    ),
    "index": (
        "Vector search takes 400 ms since the import, the planner does a sequential scan",
        "Built an HNSW index on the embedding column concurrently, vector search is at 8 ms now",
        "The index was invalid because the build had been cancelled half-way",
        "Below a few thousand rows the planner ignores the vector index, that is fine",
    ),
    "webhook": (
        "Telegram delivers the same update twice when the webhook answers late",
        "The webhook must answer within five seconds or the update is sent again",
        "We made saving idempotent on the update's chat and message id, duplicates change nothing",
        "Should the webhook return 503 while the queue is down? Yes, then Telegram retries",
    ),
    "release": (
        "Release 2.4 broke the login form, rolled it back at noon",
        "The rollback needed a manual migration because a column had been dropped",
        "Decision: a release never drops a column that the release before still reads",
        "Release checklist now has a step for the rollback of migrations",
    ),
    "token": (
        "All tokens are rejected with 401 since the identity provider rotated its keys",
        "The key set was cached for five minutes and the new key id was not in it",
        "Fixed: an unknown key id fetches the key set once more before the token is rejected",
        "Expired tokens from the browser cache are another cause of 401, not ours",
    ),
    "backup": (
        "Nightly backup failed, the disk of the backup host is full",
        "Old backups are kept for ninety days, thirty would be enough",
        "Restored last week's backup into staging, it took forty minutes",
        "Who checks that a backup can be restored? Nobody did since spring",
    ),
    "limits": (
        "The model provider answers 429, we send too many requests per minute",
        "Added a rate limiter with a token bucket in front of the provider",
        "The rate limit counts tokens too, long prompts use it up first",
        "Batching the requests cut the calls to a tenth, no 429 since",
    ),
    "json": (
        "The extraction model answers with prose around the JSON and parsing fails",
        "Structured output with a schema fixed the invalid JSON of the model",
        "A small model leaves out required fields, the larger one does not",
        "When the JSON is invalid twice the fallback model is asked",
    ),
}

QUESTIONS: tuple[tuple[str, str], ...] = (
    ("why do requests wait for a database connection in the morning?", "pool"),
    ("how many connections may a service have in its pool?", "pool"),
    ("vector search is slow and does a sequential scan", "index"),
    ("when is the HNSW index ignored by the planner?", "index"),
    ("the same update is delivered twice", "webhook"),
    ("what should the webhook answer when the queue is down?", "webhook"),
    ("how was the broken release rolled back?", "release"),
    ("may a release drop a column?", "release"),
    ("tokens rejected with 401 after keys were rotated", "token"),
    ("unknown key id in the token", "token"),
    ("can the nightly backup be restored?", "backup"),
    ("disk full on the backup host", "backup"),
    ("too many requests, the provider answers 429", "limits"),
    ("does the rate limit count tokens of long prompts?", "limits"),
    ("model answers with invalid JSON", "json"),
    ("when is the fallback model asked?", "json"),
)

SUBJECTS = (
    "lunch", "the offsite", "the invoice of March", "the new chairs", "parking", "the coffee machine", "holidays",
    "the football match", "the printer", "the summer party", "the office plants", "the elevator",
)  # fmt: skip
REMARKS = (
    "Is anybody in for {subject} on day {number}?",
    "Please remember {subject}, the list has {number} names already",
    "Photos of {subject} are in folder {number}",
    "{subject} again, this is the {number}th time somebody asks",
    "Moved {subject} to room {number}, sorry for the noise",
)


def chatter(count: int) -> list[str]:
    """Return messages about other things; no two are equal."""
    return [
        REMARKS[number % len(REMARKS)].format(subject=SUBJECTS[number % len(SUBJECTS)], number=number)
        for number in range(count)
    ]
