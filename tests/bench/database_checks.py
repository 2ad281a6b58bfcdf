"""What the checks of vectors ask of tables from ten thousand to two million rows: time and pages of each statement."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from doctor.check import Check
from doctor.commands.output import registry
from doctor.embedding_texts import EmbeddingTexts
from doctor.late import sql
from doctor.model import Finding, Secret
from doctor.pipeline.sandbox.sandbox import Sandbox
from doctor.resources.database import Database
from doctor.resources.environment import Environment
from doctor.wording import counted

Line = Callable[[str, float, str, str], None]

DATABASE = "bench_database_checks"
BUDGET = 2.0
"""Seconds that a statement may take."""

NULL_SHARE = 100
"""One row in so many has no vector."""

COUNTING = ("EMB001", "EMB003")
"""The checks that read rows; their evidence says whether all of them."""


@dataclass(frozen=True, slots=True)
class Size:
    """A table: so many rows, vectors of so many dimensions, texts of so many characters."""

    rows: int
    dimensions: int
    text: int = 20

    def __str__(self) -> str:
        return f"{self.rows:,} x {self.dimensions} d" + (f", texts of {self.text:,}" if self.text > 100 else "")


SIZES = (
    Size(10_000, 64),
    Size(100_000, 64),
    Size(1_000_000, 64),
    Size(100_000, 1536),
    Size(1_000_000, 64, text=1_000),
    Size(2_000_000, 64, text=1_000),
)
"""The last two are beyond 1 GB of heap, one twice the other."""

TABLE = """
    CREATE UNLOGGED TABLE chunks (
        id bigint PRIMARY KEY, type text, content text, created_at timestamptz, embedding vector({dimensions})
    )
"""
FILL = """
    INSERT INTO chunks
    SELECT n, 'kind ' || n %% 5, rpad('text of row ' || n, %(text)s, '.'), now() - interval '2 days',
           CASE WHEN n %% %(share)s > 0 THEN array_fill((n %% 97 + 1)::real, ARRAY[%(dimensions)s])::vector END
    FROM generate_series(1, %(rows)s) AS n
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """One statement: its seconds, and the pages that it read, from memory or not."""

    seconds: float
    pages: int


class WatchedDatabase(Database):
    """A database that asks each question a second time, to learn how many pages it reads."""

    asked: list[Asked]

    async def fetch(self, query: Any, parameters: Any = (), *, timeout: float | None = None) -> list[dict[str, Any]]:
        """Ask, and remember how long it took and what it read."""
        started = time.perf_counter()
        rows = await super().fetch(query, parameters, timeout=timeout)
        seconds = time.perf_counter() - started
        question = query if isinstance(query, sql.Composable) else sql.SQL(query)
        explain = sql.SQL("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {}").format(question)
        ((plan,),) = (row.values() for row in await super().fetch(explain, parameters, timeout=30.0))
        root = plan[0]["Plan"]
        self.asked.append(Asked(seconds, root["Shared Hit Blocks"] + root["Shared Read Blocks"]))
        return rows


def measure_database_checks(sandbox: Sandbox, line: Line) -> None:
    """Run every check that needs nothing but a database, on tables of each size."""
    checks = [check for check in registry().checks.values() if _is_measured(check)]
    for size in SIZES:
        with _filled(sandbox, size) as (url, heap):
            line(f"heap of {size}", heap / (1 << 20), "MB", f"one row in {NULL_SHARE} without a vector")
            for check in checks:
                slowest, what = asyncio.run(_measure(check, url))
                line(f"  {check.code}, slowest statement", slowest * 1000, "ms", f"{what}; budget {BUDGET:g} s")


def _is_measured(check: Check) -> bool:
    required = {*check.needs} - check.optional
    return check.guards is None and "database" in required <= {"database", "environment", "texts"}


@contextmanager
def _filled(sandbox: Sandbox, size: Size) -> Iterator[tuple[str, int]]:
    """Yield the address of a database with one table, and the bytes of that table's heap."""
    url = f"{sandbox.environment()['DATABASE_URL'].rpartition('/')[0]}/{DATABASE}"
    with sandbox.connect() as server:
        server.execute(f"CREATE DATABASE {DATABASE}")
        try:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("CREATE EXTENSION vector")
                connection.execute(sql.SQL(TABLE).format(dimensions=sql.Literal(size.dimensions)))
                named = {"rows": size.rows, "dimensions": size.dimensions, "text": size.text, "share": NULL_SHARE}
                connection.execute(FILL, named)
                connection.execute("VACUUM ANALYZE chunks")
                heap = connection.execute("SELECT pg_relation_size('chunks')").fetchone()
            assert heap is not None
            yield url, heap[0]
        finally:
            server.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")


async def _measure(check: Check, url: str) -> tuple[float, str]:
    """Return the seconds of the slowest statement, and in words what all of them read and how they counted."""
    database = WatchedDatabase(Secret(url), origin="the bench")
    database.asked = []
    variables = {"EMBEDDING_DIMENSIONS": "32"}  # fits no column, so that the ways out are looked for
    environment = Environment(Path(), files=(), process_environment=variables)
    given = {"database": database, "environment": environment, "texts": EmbeddingTexts()}
    await database.open()
    try:
        produced: Any = check.detect(**{name: given[name] for name in check.needs if name in given})
        findings = [item async for item in _all(produced) if isinstance(item, Finding)]
    finally:
        await database.close()
    pages = sum(each.pages for each in database.asked)
    method = f", {findings[0].evidence[0].text}" if findings and check.code in COUNTING else ""
    return max(
        each.seconds for each in database.asked
    ), f"{counted(len(database.asked), 'statement')}, {pages:,} pages{method}"


async def _all(produced: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for item in produced:
        yield item
