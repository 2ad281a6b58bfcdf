"""How well and how fast the pipeline's search finds: over HTTP, with the embedding of the question."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import psycopg

from doctor.pipeline.sandbox.sandbox import Sandbox
from tests.bench.labelled_search import MESSAGES, QUESTIONS, chatter

ROWS = 10_000
ROUNDS = 10
"""How often each question is asked for the latency."""

CHAT = -1_001_800_000_001
BATCH = 500
PATIENCE = 300.0
"""Seconds until the worker must have embedded everything."""

# Older than the look-back, so that no extraction takes them.
INSERT = """
    INSERT INTO messages (external_id, chat_id, sender, content, created_at, importance_score, noise_class)
    SELECT 'bench:' || number, %(chat)s, 'bench', content, now() - interval '48 hours', 0.5, 'neutral'
    FROM unnest(%(contents)s::text[]) WITH ORDINALITY AS made (content, number)
"""
LEFT = "SELECT count(*) FROM messages WHERE chat_id = %(chat)s AND embedding IS NULL"
INDEX = "CREATE INDEX bench_search ON messages USING hnsw (embedding vector_cosine_ops)"

Line = Callable[[str, float, str, str], None]


@dataclass(frozen=True, slots=True)
class Relevance:
    """Over all questions: the share of relevant rows among the first ``k``, and the mean of 1 / first relevant rank."""

    recall: float
    reciprocal_rank: float


def relevance(answers: Sequence[Sequence[str]], relevant: Sequence[Sequence[str]], k: int) -> Relevance:
    """Compare what was found for each question, best first, with what should be."""
    recalls, ranks = [], []
    for found, wanted in zip(answers, relevant, strict=True):
        recalls.append(len(set(found[:k]) & set(wanted)) / len(wanted))
        ranks.append(next((1 / rank for rank, text in enumerate(found, 1) if text in wanted), 0.0))
    return Relevance(statistics.fmean(recalls), statistics.fmean(ranks))


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least ``share`` of the values do not exceed."""
    return sorted(values)[math.ceil(share * len(values)) - 1]


def measure_search(sandbox: Sandbox, line: Line) -> None:
    """Fill the table, embed it through the queue, ask, and take everything away again."""
    url = sandbox.environment()["API_URL"]
    with (
        sandbox.connect() as database,
        httpx.Client(base_url=url, timeout=30, trust_env=False) as http,
        _filled(database),
    ):
        line("embedding through the queue", ROWS / _embed(http, database), "/s", f"{ROWS} rows, one worker")
        answers = [_ask(http, question)[0] for question, _ in QUESTIONS]
        found = relevance(answers, [MESSAGES[subject] for _, subject in QUESTIONS], k=4)
        note = f"{len(QUESTIONS)} questions, 4 relevant rows each among {ROWS}; the stand-in compares words only"
        line("search recall in the first 4", 100 * found.recall, "%", note)
        line("search mean reciprocal rank", found.reciprocal_rank, "", "1 when the first row is always relevant")
        _latency(http, line, "no index")
        database.execute(INDEX)
        database.execute("ANALYZE messages")
        _latency(http, line, "HNSW index")
        database.execute("DROP INDEX bench_search")


@contextmanager
def _filled(database: psycopg.Connection[tuple[object, ...]]) -> Iterator[None]:
    labelled = [text for texts in MESSAGES.values() for text in texts]
    contents = labelled + chatter(ROWS - len(labelled))
    database.execute(INSERT, {"chat": CHAT, "contents": contents})
    try:
        yield
    finally:
        database.execute("DELETE FROM messages WHERE chat_id = %(chat)s", {"chat": CHAT})


def _embed(http: httpx.Client, database: psycopg.Connection[tuple[object, ...]]) -> float:
    """Have every row embedded; returns the seconds."""
    started = time.perf_counter()
    http.post("/api/v1/embeddings/backfill", json={"batch_size": BATCH}).raise_for_status()
    while database.execute(LEFT, {"chat": CHAT}).fetchone() != (0,):
        if time.perf_counter() - started > PATIENCE:
            raise TimeoutError(f"the rows are not embedded after {PATIENCE:.0f} s")
        time.sleep(0.05)
    return time.perf_counter() - started


def _ask(http: httpx.Client, question: str) -> tuple[list[str], float]:
    """Return the texts that were found, best first, and the milliseconds that it took."""
    started = time.perf_counter()
    body = {"query": question, "limit": 10, "threshold": 0.5}
    answer = http.post("/api/v1/semantic_search/messages", json=body).raise_for_status()
    took = 1000 * (time.perf_counter() - started)
    return [row["content"] for row in answer.json()["results"]], took


def _latency(http: httpx.Client, line: Line, how: str) -> None:
    times = [_ask(http, question)[1] for _ in range(ROUNDS) for question, _ in QUESTIONS]
    note = f"{ROWS} rows, {how}, question embedded each time; p50 {percentile(times, 0.5):.1f} ms; target 50 ms"
    line("search p95", percentile(times, 0.95), "ms", note)
