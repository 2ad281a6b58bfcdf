"""How quickly the backfill writes: beside the bare statement, with several workers, and beside an application."""

from __future__ import annotations

import asyncio
import random
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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
from tests.bench.search import percentile

Line = Callable[[str, float, str, str], None]

ROWS = 100_000
"""So many that the few tenths of a second in which a backfill begins and ends do not hide its rate."""

DIMENSIONS = 384
BATCH = 500
PAIRS = 7

INSTANT_WORKERS = 8
"""With a model that takes no time, what a worker waits for is the server; these are enough that one is always at it."""

SLOW_ROWS = 10_000
MODEL_SECONDS = 0.05
"""What the model takes for a batch, however many it has at once."""

WORKERS = 4
ROUNDS = 3
"""How often one worker is compared with several."""

WRITES_ALONE = 1_000
"""Writes of the application that are timed while nothing else goes on."""

TABLE = f"CREATE TABLE backfill_bench (id bigint PRIMARY KEY, content text, seen int, embedding vector({DIMENSIONS}))"
FILL = "INSERT INTO backfill_bench SELECT n, 'text of row ' || n, 0, NULL FROM generate_series(1, %s) AS n"
BARE = """
    UPDATE backfill_bench AS t SET embedding = u.v
    FROM unnest(%b::bigint[], %b::vector[]) AS u (id, v) WHERE t.id = u.id
"""
WRITE = "UPDATE backfill_bench SET seen = seen + 1 WHERE id = %s"


class Model:
    """Stands in for a model server, in this process: it answers with vectors that were made before, after a time."""

    def __init__(self, vectors: Sequence[list[float]], seconds: float = 0.0) -> None:
        self.endpoint = Endpoint("ollama", "in this process", "the bench")
        self.asked: Counter[str] = Counter()
        self._vectors = vectors
        self._seconds = seconds

    async def embed(self, _model: str, texts: Sequence[str], **_options: Any) -> list[list[float]]:
        """Return one vector a text."""
        if self._seconds:
            self.asked.update(texts)
            await asyncio.sleep(self._seconds)
        return list(self._vectors[: len(texts)])

    @property
    def twice(self) -> int:
        """How many texts of rows were embedded more than once."""
        return sum(1 for text, times in self.asked.items() if times > 1 and text.startswith("text of row"))


def measure_backfill(sandbox: Sandbox, line: Line) -> None:
    """Print what the backfill costs beside the bare statement, what more workers bring, and what others feel of it."""
    numbers = random.Random(1)
    vectors = [[numbers.gauss(0, 1) for _ in range(DIMENSIONS)] for _ in range(BATCH)]
    beside_bare(sandbox, vectors, line)
    several_workers(sandbox, vectors, line)
    beside_an_application(sandbox, vectors, line)
    with sandbox.connect() as connection:
        connection.execute("DROP TABLE backfill_bench")


def beside_bare(sandbox: Sandbox, vectors: Sequence[list[float]], line: Line) -> None:
    """Write the same rows both ways in alternation, and print the ratio of the medians."""
    pairs = [
        (bare(sandbox, vectors), backfilled(sandbox, Model(vectors), ROWS, BATCH, INSTANT_WORKERS))
        for _ in range(PAIRS)
    ]
    theirs, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
    what = f"{ROWS} rows of {DIMENSIONS} dimensions, batches of {BATCH}, median of {PAIRS} alternating pairs"
    line("UPDATE … FROM unnest, binary", ROWS / theirs, "/s", what)
    share = statistics.median(one / other for one, other in pairs)
    note = f"{INSTANT_WORKERS} workers: {share:.0%} of the bare statement in the median pair; budget 60 %"
    line("backfill with an instant model", ROWS / ours, "/s", note)


def several_workers(sandbox: Sandbox, vectors: Sequence[list[float]], line: Line) -> None:
    """Compare one worker with four, where the model takes its time."""
    models, pairs = [], []
    for _ in range(ROUNDS):
        seconds = []
        for workers in (1, WORKERS):
            models.append(Model(vectors, MODEL_SECONDS))
            seconds.append(backfilled(sandbox, models[-1], SLOW_ROWS, BATCH // 5, workers))
        pairs.append(seconds)
    one, several = (statistics.median(column) for column in zip(*pairs, strict=True))
    what = f"{SLOW_ROWS} rows of {DIMENSIONS} dimensions, batches of {BATCH // 5}, {1000 * MODEL_SECONDS:g} ms each"
    line("backfill with one worker", SLOW_ROWS / one, "/s", f"{what}, median of {ROUNDS}")
    twice = f"texts embedded twice: {sum(model.twice for model in models)}"
    line(f"backfill with {WORKERS} workers", SLOW_ROWS / several, "/s", f"{one / several:.2f} x; budget 3 x; {twice}")


def beside_an_application(sandbox: Sandbox, vectors: Sequence[list[float]], line: Line) -> None:
    """Time an application's writes to rows of the table, with and without a backfill."""
    empty_rows(sandbox, SLOW_ROWS)
    with writing(sandbox) as alone:
        while len(alone) < WRITES_ALONE:
            time.sleep(0.05)
    with writing(sandbox) as beside:
        backfilled(sandbox, Model(vectors, MODEL_SECONDS), SLOW_ROWS, BATCH // 5, WORKERS, fresh=False)
    for what, times in (("alone", alone), (f"beside a backfill of {WORKERS} workers", beside)):
        note = f"p50 {percentile(times, 0.5):.1f} ms, maximum {max(times):.1f} ms of {len(times)}, one row each"
        line(f"an application's UPDATE {what}, p95", percentile(times, 0.95), "ms", note)


@contextmanager
def writing(sandbox: Sandbox) -> Iterator[list[float]]:
    """Have somebody else change rows, one by one; yields the milliseconds of each, as they come."""
    milliseconds: list[float] = []
    over = threading.Event()

    def write() -> None:
        rows = random.Random(2)
        with sandbox.connect() as connection:
            while not over.is_set():
                started = time.perf_counter()
                connection.execute(WRITE, [rows.randint(1, SLOW_ROWS)])
                milliseconds.append(1000 * (time.perf_counter() - started))
                over.wait(0.002)

    application = threading.Thread(target=write)
    application.start()
    try:
        yield milliseconds
    finally:
        over.set()
        application.join()


def empty_rows(sandbox: Sandbox, rows: int) -> None:
    """Make the table anew, without vectors."""
    with sandbox.connect() as connection:
        connection.execute("DROP TABLE IF EXISTS backfill_bench")
        connection.execute(TABLE)
        connection.execute(FILL, [rows])
        connection.execute("ANALYZE backfill_bench")


def bare(sandbox: Sandbox, vectors: Sequence[list[float]]) -> float:
    """Return the seconds that nothing but the statement takes, batch by batch."""
    empty_rows(sandbox, ROWS)
    ready = [Vector(vector) for vector in vectors]
    with sandbox.connect() as connection:
        register_vector(connection)
        started = time.perf_counter()
        for first in range(1, ROWS + 1, BATCH):
            with connection.transaction():
                connection.execute(BARE, [list(range(first, first + BATCH)), ready])
        return time.perf_counter() - started


def backfilled(sandbox: Sandbox, model: Model, rows: int, batch: int, workers: int = 2, *, fresh: bool = True) -> float:
    """Return the seconds of the repair: sharing, reading, checking, writing, journalling, statistics."""
    if fresh:
        empty_rows(sandbox, rows)
    return asyncio.run(_backfilled(sandbox, model, Limits(batch_size=batch, workers=workers)))


async def _backfilled(sandbox: Sandbox, model: Model, limits: Limits) -> float:
    with tempfile.TemporaryDirectory(prefix="doctor-bench-") as folder:
        async with Target.at(sandbox.directory) as target:
            context = FixContext(
                finding=None,  # type: ignore[arg-type]  # the repair reads its arguments only
                arguments={"table": "public.backfill_bench", "column": "embedding"},
                limits=limits,
                resources={
                    "database": await target.provide("database"),
                    "models": SimpleNamespace(default=model),
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
