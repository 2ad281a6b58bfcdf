"""Tables of other people, oddly named, typed and locked: they hide nothing, and nothing is done to them unasked."""

from __future__ import annotations

import json
from collections.abc import Iterator

import psycopg
import pytest

from doctor.model import Status
from doctor.pipeline.sandbox.sandbox import Sandbox
from tests.end_to_end.patient import check, doctor, write

SECRET = "postgresql://u:hunter2pw@h/db"
ODD = (
    'CREATE TABLE odd."semi; drop table messages; --" (id int PRIMARY KEY, content text, embedding vector(768))',
    'CREATE TABLE odd."MixedCase" ("Id" uuid PRIMARY KEY, content text, embedding vector(768))',
    f'CREATE TABLE odd."{SECRET}" (id int PRIMARY KEY, content text, embedding vector(768))',
    'CREATE TABLE odd."\x1b[31mred" (id int PRIMARY KEY, content text, embedding vector(768))',
    f'CREATE TABLE odd."{"y" * 63}" (id int PRIMARY KEY, content text, embedding vector(768))',
    "CREATE TABLE odd.times (id int PRIMARY KEY, content text, created_at text, embedding vector(768))",
    "CREATE TABLE odd.parts (id int, content text, embedding vector(768)) PARTITION BY RANGE (id)",
    "CREATE TABLE odd.parts_1 PARTITION OF odd.parts FOR VALUES FROM (0) TO (1000)",
    "CREATE TABLE odd.unbounded (id int PRIMARY KEY, content text, embedding vector)",
)
FILLED = ('odd."semi; drop table messages; --"', f'odd."{SECRET}"', 'odd."\x1b[31mred"')


@pytest.fixture
def odd(patient: Sandbox) -> Iterator[Sandbox]:
    write(patient, "CREATE SCHEMA odd", *ODD)  # type: ignore[arg-type]
    for table in FILLED:
        write(patient, f"INSERT INTO {table} SELECT n, 'text ' || n FROM generate_series(1, 5) AS n")  # type: ignore[arg-type]
    yield patient
    write(patient, "DROP SCHEMA odd CASCADE")


def test_findings_of_the_chains_own_tables_survive_a_table_that_is_locked(odd: Sandbox) -> None:
    odd.add_history(20, 5)
    with psycopg.connect(odd.environment()["DATABASE_URL"]) as other:
        other.execute("LOCK TABLE odd.times IN ACCESS EXCLUSIVE MODE")
        run = check(odd)
    found = {finding.resource.id for finding in run.findings if finding.code == "EMB001"}
    assert {"public.messages.embedding", "public.atoms.embedding"} <= found
    (result,) = [result for result in run.before if result.code == "EMB001"]
    assert result.status is Status.UNKNOWN
    assert "odd.times" in result.reason


def test_a_preview_is_valid_sql_and_shows_no_secret(odd: Sandbox) -> None:
    for form in ("text", "json", "markdown"):
        shown = doctor(odd, "fix", "--diff", "--format", form)
        assert "hunter2pw" not in shown.stdout + shown.stderr, form
        assert "\x1b" not in shown.stdout + shown.stderr, form
    text = doctor(odd, "fix", "--diff").stdout
    assert 'UPDATE odd."semi; drop table messages; --" SET embedding' in text


def test_what_is_repaired_and_taken_back_shows_no_secret_and_commands_no_terminal(odd: Sandbox) -> None:
    outputs = [doctor(odd, "fix", "--yes"), doctor(odd, "report"), doctor(odd, "undo")]
    for output in outputs:
        assert "hunter2pw" not in output.stdout + output.stderr
        assert "\x1b" not in output.stdout + output.stderr
        assert "Traceback" not in output.stderr
    assert "taken back  5 vectors of odd." in outputs[-1].stdout
    with odd.connect() as connection:
        for table in FILLED:
            rows = connection.execute(f"SELECT count(embedding) FROM {table}").fetchall()  # type: ignore[call-overload]
            assert rows == [(0,)]


def test_no_index_is_built_where_none_is_needed(odd: Sandbox) -> None:
    shown = doctor(odd, "fix", "VEC001", "--yes", "--unsafe-fixes", "--format", "json")
    assert json.loads(shown.stdout)["repairs"] == []


def test_an_index_never_takes_the_name_of_its_table(odd: Sandbox) -> None:
    from doctor.index_definition import index_name
    from doctor.resources.catalog import VectorColumn

    column = VectorColumn(
        "odd", "y" * 63, "embedding", "vector", 768, False, False, False, 0, True, None, 0, 0, True, False, ("id",), ()
    )
    name = index_name(column, "<=>")
    assert len(name.encode()) == 63
    assert name != "y" * 63
