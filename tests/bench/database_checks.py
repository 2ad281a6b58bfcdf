"""What the checks ask of tables from ten thousand to two million rows: time and pages of each statement.

The table of texts has an index of vectors and is the message table of a chain, with its dead letters, its log of
executions and its agents beside it, so that every check that asks a database finds something to do.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg

from doctor.chain import Chain, Stage
from doctor.check import Check, CouldNotTellError
from doctor.commands.output import registry
from doctor.embedding_texts import EmbeddingTexts
from doctor.given_queries import GivenQuery
from doctor.late import sql
from doctor.model import Finding, Secret
from doctor.pipeline.sandbox.sandbox import Sandbox
from doctor.resources.database import Database, DatabaseError, QueryTimedOut
from doctor.resources.environment import Environment
from doctor.resources.statement_template import template
from doctor.similarity_queries import SimilarityQueries
from doctor.target import Target
from doctor.wording import counted

Line = Callable[[str, float, str, str], None]

DATABASE = "bench_database_checks"
BUDGET = 2.0
"""Seconds that a statement may take."""

NULL_SHARE = 100
"""One row in so many has no vector."""

COUNTING = ("EMB001", "EMB003")
"""The checks that read rows of vectors; their evidence says whether all of them."""

GIVEN = frozenset({"database", "environment", "texts", "chain", "queries", "nats"})
"""What a measured check may ask for."""


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

TEN_MILLION = Size(10_000_000, 64)
"""Takes 7 GB of disk and some minutes, so it is measured only where it is asked for."""

TABLES = """
    CREATE EXTENSION vector;
    CREATE UNLOGGED TABLE chunks (
        id bigint PRIMARY KEY, type text, content text, score int, created_at timestamptz,
        embedding vector({dimensions})
    );
    CREATE UNLOGGED TABLE dead_letters (task text, error text, failed_at timestamptz);
    CREATE UNLOGGED TABLE executions (
        task text, status text, error text, started_at timestamptz, finished_at timestamptz
    );
    CREATE TABLE providers (id int PRIMARY KEY, name text, type text, is_active boolean);
    CREATE TABLE agents (
        id int PRIMARY KEY, name text, model_name text, is_active boolean, provider_id int REFERENCES providers
    );
    INSERT INTO providers SELECT n, 'provider ' || n, 'ollama', true FROM generate_series(1, 10) AS n;
    INSERT INTO agents SELECT n, 'agent ' || n, 'model', true, n % 10 + 1 FROM generate_series(1, 400) AS n;
    CREATE TEMPORARY TABLE pool AS
        SELECT place, array_agg(random())::vector AS vector
        FROM generate_series(0, 999) AS place, generate_series(1, {dimensions}) GROUP BY place;
    INSERT INTO chunks
        SELECT n, 'kind ' || n % 5, rpad('text of row ' || n, {text}, '.'), CASE WHEN n % {share} > 0 THEN n % 10 END,
               now() - interval '30 days' * ({rows} - n) / {rows}, CASE WHEN n % {share} > 0 THEN vector END
        FROM generate_series(1, {rows}) AS n JOIN pool ON place = n % 1000;
    INSERT INTO dead_letters
        SELECT 'task ' || n % 5, 'no answer', now() - interval '30 days' * n / {rows}
        FROM generate_series(1, {rows}, 10) AS n;
    INSERT INTO executions
        SELECT 'task ' || n % 5, CASE WHEN n % 3 = 0 THEN 'failed' ELSE 'done' END, 'no answer',
               now() - interval '30 days' * n / {rows}, now() - interval '30 days' * n / {rows}
        FROM generate_series(1, {rows}) AS n;
    CREATE INDEX ON executions (finished_at);
    CREATE INDEX ON chunks USING ivfflat (embedding vector_cosine_ops) WITH (lists = 100)
"""
"""Vectors are drawn from a thousand: to make each would take longer than everything else. As in the pipeline's own
tables, only the log of executions has an index of times."""

CHAIN = Chain(
    entry="POST /messages",
    message_table="chunks",
    stages=(
        Stage("scored", task="app:score", table="chunks", column="score", agent="agent 1"),
        Stage("embedded", task="app:embed", table="chunks", column="embedding"),
    ),
    failed_tasks_table="dead_letters",
    executions_table="executions",
)
"""CHN004 reads the log of executions only where no dead letters are kept."""

SEARCH = "SELECT id FROM chunks WHERE type = :kind ORDER BY embedding <=> :vector LIMIT 10"


@dataclass(frozen=True, slots=True)
class Asked:
    """One statement: its seconds, and the pages that it read, from memory or not."""

    seconds: float
    pages: int = 0


class WatchedDatabase(Database):
    """A database that asks each question a second time, to learn how many pages it reads."""

    def __init__(self, url: str) -> None:
        super().__init__(Secret(url), origin="the bench")
        self.asked: list[Asked] = []

    async def fetch(self, query: Any, parameters: Any = (), **how: Any) -> list[dict[str, Any]]:
        """Ask, and remember how long it took and what it read."""
        started = time.perf_counter()
        try:
            rows = await super().fetch(query, parameters, **how)
        except QueryTimedOut:
            self.asked.append(Asked(time.perf_counter() - started))
            raise
        self.asked.append(Asked(time.perf_counter() - started, await self._pages(query, parameters, how)))
        return rows

    async def _pages(self, query: Any, parameters: Any, how: dict[str, Any]) -> int:
        question = template(query) if parameters else query
        text = question.as_string(None) if isinstance(question, sql.Composable) else question
        text = text if isinstance(text, bytes) else text.encode()
        if text.startswith(b"EXPLAIN"):  # runs nothing
            return 0
        explain = b"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + text
        ((plan,),) = (row.values() for row in await super().fetch(explain, parameters, **{**how, "timeout": 30.0}))
        root = plan[0]["Plan"]
        return int(root["Shared Hit Blocks"] + root["Shared Read Blocks"])


def measure_database_checks(sandbox: Sandbox, line: Line, *, largest: bool = False) -> None:
    """Run every check that asks a database, on tables of each size; of ten million rows where that is asked for."""
    checks = [check for check in registry().checks.values() if _is_measured(check)]
    for size in (TEN_MILLION,) if largest else SIZES:
        with _filled(sandbox, size) as (url, heap):
            line(f"heap of {size}", heap / (1 << 20), "MB", f"one row in {NULL_SHARE} without a vector")
            for check in checks:
                slowest, what = asyncio.run(_measure(check, sandbox, url))
                line(f"  {check.code}, slowest statement", slowest * 1000, "ms", f"{what}; budget {BUDGET:g} s")


def _is_measured(check: Check) -> bool:
    required = {*check.needs} - check.optional
    return check.guards is None and "database" in required <= GIVEN


@contextmanager
def _filled(sandbox: Sandbox, size: Size) -> Iterator[tuple[str, int]]:
    """Yield the address of a database with the tables, and the bytes of the heap of the texts."""
    url = f"{sandbox.environment()['DATABASE_URL'].rpartition('/')[0]}/{DATABASE}"
    named = {"rows": size.rows, "dimensions": size.dimensions, "text": size.text, "share": NULL_SHARE}
    with sandbox.connect() as server:
        server.execute(f"CREATE DATABASE {DATABASE}")
        try:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(sql.SQL(TABLES).format(**{name: sql.Literal(n) for name, n in named.items()}))
                connection.execute("VACUUM ANALYZE")
                heap = connection.execute("SELECT pg_relation_size('chunks')").fetchone()
            assert heap is not None
            yield url, heap[0]
        finally:
            server.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")


async def _measure(check: Check, sandbox: Sandbox, url: str) -> tuple[float, str]:
    """Return the seconds of the slowest statement, and in words what all of them read and how they counted."""
    database = WatchedDatabase(url)
    variables = {"EMBEDDING_DIMENSIONS": "32"}  # fits no column, so that the ways out are looked for
    async with Target.at(sandbox.directory) as target:
        given = {
            "database": database,
            "environment": Environment(Path(), files=(), process_environment=variables),
            "texts": EmbeddingTexts(),
            "chain": CHAIN if check.code != "CHN004" else replace(CHAIN, failed_tasks_table=None),
            "queries": SimilarityQueries.of(None, [GivenQuery("search", SEARCH, "bench", 1)]),
            "nats": await target.provide("nats"),
        }
        await database.open()
        try:
            method = await _method(check, {name: given[name] for name in check.needs if name in given})
        finally:
            await database.close()
    pages = sum(each.pages for each in database.asked)
    slowest = max((each.seconds for each in database.asked), default=0.0)
    return slowest, f"{counted(len(database.asked), 'statement')}, {pages:,} pages{method}"


async def _method(check: Check, given: dict[str, Any]) -> str:
    """Run a check; return how it counted, or why it could not."""
    produced: Any = check.detect(**given)
    try:
        findings = [item async for item in produced if isinstance(item, Finding)]
    except (CouldNotTellError, DatabaseError) as error:
        return f", {error}"
    return f", {findings[0].evidence[0].text}" if findings and check.code in COUNTING else ""
