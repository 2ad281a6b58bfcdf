"""An index counts for the distances that it serves, compared with those that the source orders by."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import LiteralString

import pytest

from doctor.commands.output import registry
from doctor.model import Applicability, CheckResult, Role, Severity, Status
from doctor.pipeline.sandbox.sandbox import Sandbox
from doctor.runner import run_checks
from doctor.target import Target

QUERY = "SELECT id FROM asked ORDER BY embedding {operator} %s LIMIT 5"
SCAN: tuple[LiteralString, ...] = (
    "SET enable_seqscan = off",
    "SELECT id FROM asked ORDER BY embedding <-> '[1,2,3,4]' LIMIT 1",
    "SELECT pg_stat_force_next_flush()",
)


@pytest.fixture(scope="module")
def table(examined: Sandbox) -> Iterator[Sandbox]:
    """A table so small that the planner would use no index."""
    with examined.connect() as connection:
        connection.execute("CREATE TABLE asked (id int PRIMARY KEY, embedding vector(4))")
        connection.execute("INSERT INTO asked SELECT n, '[1,2,3,4]' FROM generate_series(1, 20) AS n")
    yield examined
    with examined.connect() as connection:
        connection.execute("DROP TABLE asked")


Ask = Callable[..., CheckResult]


@pytest.fixture
def ask(table: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Examine a project of these queries, where the table has indexes of these operator classes."""
    monkeypatch.setenv("DATABASE_URL", table.environment()["DATABASE_URL"])

    def run(*operators: str, indexes: tuple[str, ...], scanned: bool = False, more: str = "") -> CheckResult:
        with table.connect() as connection:
            connection.execute("DROP INDEX IF EXISTS asked_0, asked_1")
            for number, operator_class in enumerate(indexes):
                connection.execute(f"CREATE INDEX asked_{number} ON asked USING {operator_class}")  # type: ignore[arg-type]
            if scanned:
                for statement in SCAN:
                    connection.execute(statement)
        (tmp_path / "search.py").write_text(
            "".join(f"Q{n} = {QUERY.format(operator=operator)!r}\n" for n, operator in enumerate(operators)) + more
        )

        async def work() -> CheckResult:
            async with Target.at(tmp_path) as target:
                (result,) = await run_checks([registry().checks["VEC005"]], target)
                return result

        return asyncio.run(work())

    return run


def test_an_index_for_another_distance_is_told_with_the_query_that_asks(ask: Ask) -> None:
    (finding,) = ask("<=>", indexes=("hnsw (embedding vector_l2_ops)",)).findings
    assert finding.symptom == "no index on asked.embedding serves `<=>`, by which search.py:1 orders"
    assert (finding.severity, finding.role) == (Severity.WARNING, Role.ADVICE)  # no search is slower for it yet
    assert finding.fixes[0].arguments["operator"] == "<=>"


def test_the_new_index_is_built_safely_and_the_old_one_is_left_to_a_person(ask: Ask) -> None:
    """No scans prove nothing: the statistics may be new, or the searches go to a replica."""
    (finding,) = ask("<=>", indexes=("hnsw (embedding vector_l2_ops)",)).findings
    build, drop = finding.fixes
    assert finding.recommended_fix == build
    assert (build.fix, build.applicability) == ("replace-vector-index", Applicability.SAFE)
    assert build.arguments["instead_of"] == []
    assert drop.applicability is Applicability.MANUAL
    assert "DROP INDEX CONCURRENTLY public.asked_0;" in drop.title


def test_from_the_planners_floor_on_every_search_is_slower_for_it(ask: Ask, table: Sandbox) -> None:
    ask("<=>", indexes=())
    with table.connect() as connection:
        connection.execute("INSERT INTO asked SELECT n, '[1,2,3,4]' FROM generate_series(21, 2100) AS n")
    (finding,) = ask("<=>", indexes=("hnsw (embedding vector_l2_ops)",)).findings
    with table.connect() as connection:
        connection.execute("DELETE FROM asked WHERE id > 20")
        connection.execute("ANALYZE asked")
    assert (finding.severity, finding.role) == (Severity.ERROR, Role.CAUSE)


def test_the_class_that_ivfflat_takes_by_itself_is_for_no_cosine(ask: Ask) -> None:
    (finding,) = ask("<=>", indexes=("ivfflat (embedding) WITH (lists = 1)",)).findings
    assert "asked_0 is for another distance" in finding.cause


def test_an_index_that_another_query_uses_is_not_to_be_dropped(ask: Ask) -> None:
    (finding,) = ask("<=>", "<->", indexes=("hnsw (embedding vector_l2_ops)",)).findings
    assert finding.subject == "<=>"
    assert [option.fix for option in finding.fixes] == ["replace-vector-index"]


def test_how_often_the_old_one_was_scanned_is_told_to_the_person(ask: Ask) -> None:
    (finding,) = ask("<=>", indexes=("hnsw (embedding vector_l2_ops)",), scanned=True).findings
    assert finding.fixes[1].reason.startswith("1 scan since the statistics were last reset")


JOINED = "SELECT asked.id FROM asked JOIN joined j ON j.id = asked.id ORDER BY j.embedding <-> %s LIMIT 5"


def test_a_join_asks_for_the_distance_of_the_table_whose_column_it_orders_by(ask: Ask, table: Sandbox) -> None:
    with table.connect() as connection:
        connection.execute("CREATE TABLE joined (id int PRIMARY KEY, embedding vector(4))")
        connection.execute("CREATE INDEX ON joined USING hnsw (embedding vector_cosine_ops)")
    try:
        (finding,) = ask(indexes=("hnsw (embedding vector_cosine_ops)",), more=f"Q = {JOINED!r}\n").findings
    finally:
        with table.connect() as connection:
            connection.execute("DROP TABLE joined")
    assert finding.resource.id == "public.joined.embedding"


MAPPED = """
from pgvector.sqlalchemy import Vector
from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase): ...

class Asked(Base):
    __tablename__ = "asked"
    id: Mapped[int] = mapped_column(primary_key=True)
    embedding = mapped_column(Vector(4))

def nearest(vector):
    return select(Asked.id).order_by(Asked.embedding.cosine_distance(vector)).limit(5)
"""


def test_the_distance_of_a_mapped_column_counts_too(ask: Ask) -> None:
    (finding,) = ask(indexes=("hnsw (embedding vector_l2_ops)",), more=MAPPED).findings
    assert finding.symptom == "no index on asked.embedding serves `<=>`, by which search.py:14 orders"


SERVED = {
    "the index of the distance": ("hnsw (embedding vector_cosine_ops)",),
    "one of two": ("hnsw (embedding vector_l2_ops)", "hnsw (embedding vector_cosine_ops)"),
    "a cast of the column": ("hnsw ((embedding::halfvec(4)) halfvec_cosine_ops)",),
    "no vector index": (),
}


@pytest.mark.parametrize("indexes", SERVED.values(), ids=SERVED)
def test_a_distance_that_some_index_serves_is_silent(ask: Ask, indexes: tuple[str, ...]) -> None:
    result = ask("<=>", indexes=indexes)
    assert (result.status, result.findings) == (Status.PASS, ())
