"""The forms of a similarity query, each planned by the real server: which an index serves, which come back short."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from doctor.commands.output import registry
from doctor.model import CheckResult, Finding, Severity, Status
from doctor.pipeline.sandbox.sandbox import Sandbox
from doctor.resources.database import Database
from doctor.runner import run_checks
from doctor.target import Target

ROWS = 6_000
ROW_BYTES = 1_500
"""Long rows make a scan dear, so that the planner takes the index although a filter leaves one row in 200."""


@pytest.fixture(scope="module")
def documents(examined: Sandbox) -> Iterator[None]:
    """A table that the planner uses the index of, for cosine only; one row in 200 is of a topic."""
    numbers = random.Random(7)
    with examined.connect() as connection:
        connection.execute("CREATE TABLE planned_here (id int PRIMARY KEY, topic int, text text, embedding vector(8))")
        connection.execute("ALTER TABLE planned_here ALTER text SET STORAGE PLAIN")
        with connection.cursor().copy("COPY planned_here FROM STDIN") as copy:
            for row in range(ROWS):
                vector = f"[{','.join(f'{numbers.gauss(0, 1):.4f}' for _ in range(8))}]"
                copy.write_row((row, row % 200, "x" * ROW_BYTES, vector))
        connection.execute("CREATE INDEX planned_here_cosine ON planned_here USING hnsw (embedding vector_cosine_ops)")
        connection.execute("ANALYZE planned_here")
    yield
    with examined.connect() as connection:
        connection.execute("DROP TABLE planned_here")


Ask = Callable[..., CheckResult]


@pytest.fixture
def ask(documents: None, examined: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Examine a project of one file, which holds this query, with the pipeline's database."""
    monkeypatch.setenv("DATABASE_URL", examined.environment()["DATABASE_URL"])
    wanted = [registry().checks["VEC008"]]

    def run(query: str, more: str = "", *, given: str = "", version: str | None = None) -> CheckResult:
        (tmp_path / "search.py").write_text(f"QUERY = {query!r}\n{more}")
        (tmp_path / "doctor.toml").write_text(given)

        async def work() -> CheckResult:
            async with Target.at(tmp_path) as target:
                if version is not None:  # a stand-in: this server, taken for an older one
                    monkeypatch.setattr(Database, "server_version", version)
                (result,) = await run_checks(wanted, target)
                return result

        return asyncio.run(work())

    return run


def found(result: CheckResult) -> Finding:
    (finding,) = result.findings
    assert (finding.resource.path, finding.resource.line) == ("search.py", 1)
    return finding


SERVED = {
    "plain": "SELECT id FROM planned_here ORDER BY embedding <=> %s LIMIT 10",
    "by the alias": "SELECT id, embedding <=> %(v)s AS d FROM planned_here ORDER BY d LIMIT 10",
    "joined": "SELECT a.id FROM planned_here a JOIN planned_here b USING (id) ORDER BY a.embedding <=> :v LIMIT 10",
    "a subselect": "SELECT id FROM planned_here ORDER BY embedding <=> (SELECT $1::vector) LIMIT 10",
    "cast to its own type": "SELECT id FROM planned_here ORDER BY embedding <=> %s::vector(8) LIMIT %s",
    "tie-breaker": "SELECT id FROM planned_here ORDER BY embedding <=> %s, id LIMIT 10",
    "materialised": (
        "WITH n AS MATERIALIZED (SELECT id, embedding <=> %s AS d FROM planned_here ORDER BY d LIMIT 10)"
        " SELECT id FROM n WHERE d < %s"
    ),
    "the program names the table": "SELECT id FROM {table} ORDER BY embedding <=> {vector} LIMIT {limit}",
}
UNSERVED = {
    "an addition": ("(embedding <=> %s) + 0", "expression over the distance"),
    "coalesce": ("coalesce(embedding <=> %s, 2)", "expression over the distance"),
    "a function": ("cosine_distance(embedding, %s)", "calls a function"),
    "NULLS FIRST": ("embedding <=> %s NULLS FIRST", "NULLS FIRST"),
    "a cast": ("embedding::halfvec(8) <=> %s::halfvec(8)", "casts the column"),
    "another operator": ("embedding <-> %s::vector", "does not serve `<->`"),
    "the inner product": ("embedding <#> %s", "does not serve `<#>`"),
}


@pytest.mark.parametrize("query", SERVED.values(), ids=SERVED.keys())
def test_what_the_index_serves_is_silent(ask, query):
    result = ask(query)
    assert result.status is Status.PASS, result
    (words,) = result.observations
    assert words.text.startswith("similarity queries: 1 used (search.py:1)")


@pytest.mark.parametrize(("key", "why"), UNSERVED.values(), ids=UNSERVED.keys())
def test_what_no_index_can_serve_says_why(ask, key, why):
    finding = found(ask(f"SELECT id, '<=>' FROM planned_here ORDER BY {key} LIMIT 10"))
    assert why in finding.symptom
    assert finding.severity is (Severity.ERROR if "does not serve" in why else Severity.WARNING)


def test_a_query_without_limit_is_an_information(ask):
    finding = found(ask("SELECT id FROM planned_here ORDER BY embedding <=> %s"))
    assert (finding.severity, finding.cause) == (Severity.INFO, "it has no LIMIT, so it asks for every row")


def test_what_costs_less_without_the_index_is_the_planners_choice(ask):
    result = ask("SELECT id FROM planned_here WHERE id <= 20 ORDER BY embedding <=> %s LIMIT 10")
    assert result.findings == ()
    assert "1 the planner's choice (search.py:1)" in result.observations[0].text


SHORT = {
    "a limit beyond ef_search": ("LIMIT 100", "40 rows of 100", "SET LOCAL hnsw.ef_search = 100;"),
    "an offset beyond ef_search": ("LIMIT 10 OFFSET 100", "0 rows of 10", "SET LOCAL hnsw.ef_search = 110;"),
    "a filter that starves": ("LIMIT 5", "rows of 5", "SET LOCAL hnsw.iterative_scan = strict_order;"),
}


@pytest.mark.parametrize(("end", "words", "code"), SHORT.values(), ids=SHORT.keys())
def test_rows_that_the_index_leaves_out_are_missed(ask, end, words, code):
    where = "WHERE topic = 7" if "rows of 5" in words else ""
    finding = found(ask(f"SELECT id FROM planned_here {where} ORDER BY embedding <=> %s {end}"))
    assert finding.severity is Severity.ERROR
    assert words in finding.symptom
    assert finding.fixes[0].code.startswith(code)


@pytest.mark.parametrize(("value", "given"), [("200", None), ("20", "20 rows of 100"), ("{n}", None)])
def test_what_the_source_sets_for_the_search_holds_when_it_is_counted(ask, value, given):
    more = f'SET = "SET LOCAL hnsw.ef_search = {value}"\n'
    result = ask("SELECT id FROM planned_here ORDER BY embedding <=> %s LIMIT 100", more)
    assert [given in finding.symptom for finding in result.findings] == ([] if given is None else [True])


FILTERS = {
    "a value": "topic = %s",
    "one of several values": "topic = ANY(%s)",
    "a value, or none at all": "(%(topic)s::int IS NULL OR topic = %(topic)s)",
}


@pytest.mark.parametrize("condition", FILTERS.values(), ids=FILTERS)
def test_a_filter_gets_a_stored_value_and_the_way_out_is_one_that_was_measured(ask, condition):
    finding = found(ask(f"SELECT id FROM planned_here WHERE {condition} ORDER BY embedding <=> %s LIMIT 5"))
    assert "rows of 5" in finding.symptom
    assert "5 without it, 5 with an iterative scan; stored values in topic" in finding.evidence[1].text
    assert finding.fixes[0].code == "SET LOCAL hnsw.iterative_scan = strict_order;"


def test_what_cannot_be_filled_in_is_planned_and_said_not_to_be_run(ask):
    result = ask("SELECT id FROM planned_here WHERE id > %s ORDER BY embedding <=> %s LIMIT 100")
    assert result.findings == ()
    assert "1 not run (search.py:1)" in result.observations[0].text


GIVEN = """
[[queries]]
name = "by topic"
sql = "SELECT id FROM planned_here WHERE topic = :topic AND id < :most ORDER BY embedding <=> :v LIMIT 5"
values = { topic = 7, most = 99999 }
"""


def test_a_given_query_is_run_with_its_values_and_named_with_its_place(ask):
    (finding,) = ask("none", given=GIVEN).findings
    assert finding.resource.id == "by topic"
    assert 'the query at doctor.toml:4 "by topic" gives' in finding.symptom
    assert "rows of 5" in finding.symptom


BUILT = """
from pgvector.sqlalchemy import Vector


class Planned(Base):
    __tablename__ = "planned_here"
    place: Mapped[list[float]] = mapped_column("embedding", Vector(8))


def search(topic, v):
    return select(Planned).where(Planned.topic == topic).order_by(Planned.place.{distance}(v)).limit(5)
"""


@pytest.mark.parametrize(
    ("distance", "symptom"),
    [("cosine_distance", "the query at search.py:12 gives "), ("l2_distance", "does not serve `<->`")],
)
def test_a_query_that_is_built_from_calls_is_judged_like_a_text(ask, distance, symptom):
    (finding,) = ask("none", BUILT.replace("{distance}", distance)).findings
    assert symptom in finding.symptom


def test_what_cannot_be_planned_is_counted_with_its_place(ask):
    fragments = (
        'A = f"SELECT id FROM planned_here WHERE {condition} ORDER BY embedding <=> %s LIMIT 5"\n'
        "B = select(Unknown).order_by(Unknown.place.l2_distance(v)).limit(5)\n"
    )
    words = ask("none", fragments).observations[0].text
    assert words == (
        "similarity queries: 1 with parts that only the program knows (search.py:2), "
        "1 of a table that the source does not show (search.py:3)"
    )


def test_an_exact_answer_that_takes_too_long_is_said_to_be_unknown(ask):
    slow = "(SELECT count(*) FROM planned_here a, planned_here b, planned_here c)"
    result = ask(f"SELECT id FROM planned_here WHERE 0 < {slow} ORDER BY embedding <=> %s LIMIT 100")
    assert result.status is Status.PASS
    assert "1 not counted within 2 s (search.py:1)" in result.observations[0].text


def test_a_server_that_cannot_plan_without_values_prepares_the_query(ask):
    def seen(query: str) -> CheckResult:
        return ask(query, version="15.4")

    starving = "SELECT id FROM planned_here WHERE topic = %s ORDER BY embedding <=> %s LIMIT 5"
    assert seen(SERVED["tie-breaker"]).observations[0].text.startswith("similarity queries: 1 used")
    assert "rows of 5" in found(seen(starving)).symptom
    assert "does not serve `<->`" in found(seen(starving.replace("<=>", "<->"))).symptom
    assert "1 not understood" in seen(starving.replace("id", "no")).observations[0].text


def test_a_server_that_is_too_old_for_both_is_told(ask):
    result = ask(SERVED["plain"], version="11.22")
    assert (result.status, result.reason) == (Status.SKIP, "PostgreSQL 12 or newer plans a query without its values")


@pytest.mark.parametrize("call", ["pg_sleep(9)", '"pg_sleep"(9)', "pg_sleep/**/(9)", r"E'\'', pg_sleep(9), E'\''"])
def test_a_query_that_calls_what_may_do_more_is_planned_and_never_run(ask, call):
    result = ask(f"SELECT id, {call} FROM planned_here ORDER BY embedding <=> %s LIMIT 100")
    assert result.observations[0].text == "similarity queries: 1 used (search.py:1), 1 not run (search.py:1)"
    assert result.findings == ()
    assert result.status is Status.PASS


@pytest.mark.parametrize("text", ["; DROP TABLE planned_here", " FOR UPDATE"])
def test_a_text_that_is_more_than_a_query_changes_nothing(ask, examined, text):
    ask(f"SELECT id FROM planned_here ORDER BY embedding <=> %s LIMIT 10{text}")
    with examined.connect() as connection:
        assert connection.execute("SELECT count(*) FROM planned_here").fetchone() == (ROWS,)
