"""How quickly the backfill writes vectors, beside the bare statement with the same rows in the same run."""

from __future__ import annotations

import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pgvector import Vector
from pgvector.psycopg import register_vector

from doctor.fix import FixContext, Limits, Writers
from doctor.fixes.backfill_embeddings import BACKFILL_EMBEDDINGS
from doctor.journal import Journal
from doctor.model import Endpoint
from doctor.pipeline.sandbox.sandbox import Sandbox
from doctor.target import Target
from doctor.writers import DatabaseWriter

Line = Callable[[str, float, str, str], None]

ROWS = 20_000
DIMENSIONS = 384
BATCH = 500
PAIRS = 7

TABLE = f"CREATE TABLE backfill_bench (id bigint PRIMARY KEY, content text, embedding vector({DIMENSIONS}))"
FILL = "INSERT INTO backfill_bench SELECT n, 'text of row ' || n, NULL FROM generate_series(1, %s) AS n"
BARE = """
    UPDATE backfill_bench AS t SET embedding = u.v
    FROM unnest(%b::bigint[], %b::vector[]) AS u (id, v) WHERE t.id = u.id
"""


class InstantModel:
    """Stands in for a model server that needs no time: it answers with vectors that were made before."""

    def __init__(self, vectors: Sequence[list[float]]) -> None:
        self.endpoint = Endpoint("ollama", "in this process", "the bench")
        self._vectors = vectors

    async def embed(self, _model: str, texts: Sequence[str], **_options: Any) -> list[list[float]]:
        """Return one vector a text."""
        return list(self._vectors[: len(texts)])


def measure_backfill(sandbox: Sandbox, line: Line) -> None:
    """Write the same rows both ways in alternation, and print the ratio of the medians."""
    numbers = random.Random(1)
    vectors = [[numbers.gauss(0, 1) for _ in range(DIMENSIONS)] for _ in range(BATCH)]
    pairs = [(bare(sandbox, vectors), asyncio.run(backfilled(sandbox, vectors))) for _ in range(PAIRS)]
    with sandbox.connect() as connection:
        connection.execute("DROP TABLE backfill_bench")
    theirs, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
    what = f"{ROWS} rows of {DIMENSIONS} dimensions, batches of {BATCH}, median of {PAIRS} alternating pairs"
    line("UPDATE … FROM unnest, binary", ROWS / theirs, "/s", what)
    line("backfill with an instant model", ROWS / ours, "/s", f"{theirs / ours:.0%} of the bare statement; budget 60 %")


def empty_rows(sandbox: Sandbox) -> None:
    """Make the table anew, without vectors."""
    with sandbox.connect() as connection:
        connection.execute("DROP TABLE IF EXISTS backfill_bench")
        connection.execute(TABLE)
        connection.execute(FILL, [ROWS])
        connection.execute("ANALYZE backfill_bench")


def bare(sandbox: Sandbox, vectors: Sequence[list[float]]) -> float:
    """Return the seconds that nothing but the statement takes, batch by batch."""
    empty_rows(sandbox)
    ready = [Vector(vector) for vector in vectors]
    with sandbox.connect() as connection:
        register_vector(connection)
        started = time.perf_counter()
        for first in range(1, ROWS + 1, BATCH):
            with connection.transaction():
                connection.execute(BARE, [list(range(first, first + BATCH)), ready])
        return time.perf_counter() - started


async def backfilled(sandbox: Sandbox, vectors: Sequence[list[float]]) -> float:
    """Return the seconds of the repair: reading, checking, writing, journalling."""
    empty_rows(sandbox)
    with tempfile.TemporaryDirectory(prefix="doctor-bench-") as folder:
        async with Target.at(sandbox.directory) as target:
            context = FixContext(
                finding=None,  # type: ignore[arg-type]  # the repair reads its arguments only
                arguments={"table": "public.backfill_bench", "column": "embedding"},
                limits=Limits(batch_size=BATCH),
                resources={
                    "database": await target.provide("database"),
                    "models": SimpleNamespace(default=InstantModel(vectors)),
                    "environment": target.environment,
                    "chain": target.chain(),
                    "texts": await target.provide("texts"),
                },
            )
            nothing: Any = None
            journal = Journal(Path(folder) / "journal.jsonl")
            writer = DatabaseWriter(partial(target.provide, "database"), journal)
            writers = Writers(nothing, writer, nothing, nothing, lambda _text: None)
            plan = await BACKFILL_EMBEDDINGS.plan(context)
            started = time.perf_counter()
            await BACKFILL_EMBEDDINGS.apply(context, plan, writers)
            return time.perf_counter() - started
