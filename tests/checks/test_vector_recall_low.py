"""What an index finds of the true nearest is measured on the real server, within bounds, and only on request."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest

from doctor.commands.examination import Selection, choose
from doctor.commands.output import registry
from doctor.index_recall import VECTORS, Recall, recall_of
from doctor.model import CheckResult, Secret, Status
from doctor.pipeline.sandbox.sandbox import Sandbox
from doctor.resources.catalog import vector_columns
from doctor.resources.database import Database
from doctor.runner import run_checks
from doctor.target import Target

ROWS = 2_500
DIMENSIONS = 24
"""Vectors without structure are the hardest for an index."""

CHECK = registry().checks["VEC009"]


@pytest.fixture(scope="module")
def gaussian(examined: Sandbox) -> Iterator[Sandbox]:
    numbers = random.Random(3)
    with examined.connect() as connection:
        connection.execute("CREATE TABLE recalled_here (id int, v vector(24))")
        with connection.cursor().copy("COPY recalled_here FROM STDIN") as copy:
            for row in range(ROWS):
                copy.write_row((row, f"[{','.join(f'{numbers.gauss(0, 1):.3f}' for _ in range(DIMENSIONS))}]"))
        connection.execute("ANALYZE recalled_here")
    yield examined
    with examined.connect() as connection:
        connection.execute("DROP TABLE recalled_here")


def build(sandbox: Sandbox, what: str) -> None:
    with sandbox.connect() as connection:
        connection.execute("DROP INDEX IF EXISTS recalled_here_index")
        connection.execute(f"CREATE INDEX recalled_here_index ON recalled_here USING {what}")  # type: ignore[arg-type]


def examine(sandbox: Sandbox) -> CheckResult:
    async def work() -> CheckResult:
        async with Target.at(sandbox.directory) as target:
            (result,) = await run_checks([CHECK], target)
            return result

    return asyncio.run(work())


def test_an_index_with_few_links_is_measured_and_the_way_out_too(gaussian):
    build(gaussian, "hnsw (v vector_cosine_ops) WITH (m = 3, ef_construction = 6)")
    (finding,) = examine(gaussian).findings
    assert "recalled_here_index finds" in finding.symptom
    assert f"10 nearest of {VECTORS} stored vectors, with " in finding.evidence[0].text
    assert finding.evidence[0].text.endswith(" s")
    assert finding.fixes[0].code.startswith("SET LOCAL hnsw.ef_search = ") or "larger m" in finding.fixes[0].title


@pytest.mark.parametrize(
    "what",
    [
        "hnsw (v vector_l2_ops) WITH (m = 32, ef_construction = 200)",
        "hnsw ((v::halfvec(24)) halfvec_ip_ops) WITH (m = 32, ef_construction = 200) WHERE id >= 0",
    ],
)
def test_a_good_index_is_silent_whatever_it_is_made_of(gaussian, what):
    build(gaussian, what)
    result = examine(gaussian)
    assert result.status is Status.PASS, result
    assert result.observations[0].text.startswith("recalled_here_index finds ")


def test_one_list_of_many_is_too_little_and_more_probes_are_the_way_out(gaussian):
    build(gaussian, "ivfflat (v vector_l2_ops) WITH (lists = 50)")
    (finding,) = examine(gaussian).findings
    assert finding.fixes[0].code.startswith("SET LOCAL ivfflat.probes = ")


def test_a_table_that_is_locked_makes_the_run_incomplete(gaussian):
    build(gaussian, "hnsw (v vector_l2_ops) WITH (m = 4, ef_construction = 8)")
    with gaussian.connect() as other:
        other.execute("BEGIN; LOCK TABLE recalled_here IN ACCESS EXCLUSIVE MODE")
        result = examine(gaussian)
        other.execute("ROLLBACK")
    assert result.status is Status.UNKNOWN


def test_a_role_that_may_not_read_the_table_is_told_so(gaussian, monkeypatch):
    build(gaussian, "hnsw (v vector_l2_ops) WITH (m = 4, ef_construction = 8)")
    with gaussian.connect() as connection:
        connection.execute("CREATE ROLE stranger LOGIN PASSWORD 'stranger'")
        url = psycopg.conninfo.conninfo_to_dict(gaussian.environment()["DATABASE_URL"])
        address = f"postgresql://stranger:stranger@{url['host']}:{url['port']}/{url['dbname']}"
        monkeypatch.setenv("DATABASE_URL", address)
        try:
            result = examine(gaussian)
        finally:
            connection.execute("DROP ROLE stranger")
    assert result.status is Status.UNKNOWN
    assert result.reason.startswith("1 index not compared: recalled_here_index: permission denied for table")


async def test_no_search_is_begun_when_the_time_is_over(gaussian):
    build(gaussian, "hnsw (v vector_l2_ops) WITH (m = 4, ef_construction = 8)")
    database = Database(Secret(gaussian.environment()["DATABASE_URL"]), origin="the test")
    seconds = count(step=5)
    try:
        (column,) = [column for column in await vector_columns(database) if column.table == "recalled_here"]
        recall = await recall_of(database, column, column.indexes[0], clock=lambda: float(next(seconds)))
    finally:
        await database.close()
    assert isinstance(recall, Recall)
    assert recall.vectors == 2


@pytest.mark.parametrize("probe", [False, True])
def test_it_runs_only_on_request(tmp_path: Path, probe: bool):
    checks = list(registry().checks.values())
    assert (CHECK in choose(checks, Selection(probe=probe), Target.at(tmp_path))) is probe
