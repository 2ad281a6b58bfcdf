"""Questions to a real PostgreSQL: read-only, bounded in time, and every failure with its reason."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import Any

import psycopg
import pytest
from psycopg import sql

from doctor.model import Endpoint, Secret
from doctor.resources.database import (
    MAX_CONNECTIONS,
    Database,
    DatabaseUnreachable,
    PermissionDenied,
    QueryFailed,
    QueryTimedOut,
)
from doctor.resources.unreachable import Reason, ResourceUnreachable

DEADLINE = 0.6


async def _reason(url: str) -> DatabaseUnreachable:
    """Open what cannot be opened, and return why; within its deadline, and without showing the password."""
    started = time.monotonic()
    with pytest.raises(DatabaseUnreachable) as caught:
        await Database(Secret(url), origin=".env:1", timeout=DEADLINE).open()
    assert time.monotonic() - started < DEADLINE + 1
    assert "hunter2" not in str(caught.value)
    return caught.value


async def test_rows_come_as_dictionaries_and_parameters_are_bound(database: Database):
    assert await database.fetch("SELECT %s::int AS a, %s AS b", (1, "'; DROP TABLE x")) == [
        {"a": 1, "b": "'; DROP TABLE x"}
    ]
    assert await database.fetch("SELECT %(x)s::int AS a", {"x": 2}) == [{"a": 2}]
    assert await database.fetch_one("SELECT 1 AS a WHERE false") is None
    assert await database.scalar("SELECT 'a%b'") == "a%b"
    assert await database.scalar("SELECT 1 WHERE false") is None
    assert await database.scalar(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier("pg_catalog", "pg_am"))) > 0


async def test_a_setting_is_switched_off_for_one_question_only(database: Database):
    asked = "SELECT current_setting('enable_seqscan')"
    (row,) = await database.fetch(asked, switched_off=["enable_seqscan"])
    assert row == {"current_setting": "off"}
    assert await database.scalar(asked) == "on"
    with pytest.raises(QueryFailed, match="unrecognized configuration parameter"):
        await database.fetch(asked, switched_off=["no_such; DROP TABLE x"])
    assert await database.scalar(asked) == "on"


async def test_a_setting_holds_for_one_question_only(database: Database):
    asked = "SELECT current_setting('hnsw.ef_search', true)"
    (row,) = await database.fetch(asked, settings={"hnsw.ef_search": "77", "work_mem": "8MB"})
    assert row == {"current_setting": "77"}
    assert await database.scalar(asked) in (None, "", "40")


async def test_of_several_statements_the_last_rows_are_returned(database: Database):
    assert await database.fetch(b"PREPARE a AS SELECT 1 AS x; EXECUTE a; DEALLOCATE a") == [{"x": 1}]


async def test_it_says_where_it_is_without_the_password(database: Database, database_url: str):
    parts = psycopg.conninfo.conninfo_to_dict(database_url)
    address = f"127.0.0.1:{parts['port']}/{parts['dbname']} as {parts['user']}"
    assert database.endpoint == Endpoint("postgresql", address, ".env:1")
    assert database.is_loopback
    assert database.server_version is not None
    assert database.server_version.startswith("18")
    assert await database.scalar("SELECT current_setting('application_name')") == "doctor"


@pytest.mark.parametrize("statement", ["CREATE TABLE t (a int)", "CREATE TEMPORARY SEQUENCE s; SELECT nextval('s')"])
async def test_a_question_cannot_write(database: Database, statement: str):
    with pytest.raises(QueryFailed) as caught:
        await database.fetch(statement)
    assert caught.value.sqlstate == "25006"  # read_only_sql_transaction


async def test_a_statement_that_takes_too_long_is_ended_by_the_server(database_url: str):
    database = Database(Secret(database_url), origin="test", timeout=0.3)
    started = time.monotonic()
    with pytest.raises(QueryTimedOut):
        await database.fetch("SELECT pg_sleep(30)")
    assert time.monotonic() - started < 3
    assert await database.scalar("SELECT pg_sleep(0.4) IS NULL", timeout=5) is False
    await database.close()


async def test_a_question_does_not_wait_for_locks(database: Database):
    async with database.connect_for_writing() as writer:
        await writer.execute("CREATE TABLE held (a int)")
        async with writer.transaction():
            await writer.execute("LOCK TABLE held IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(QueryTimedOut) as caught:
                await database.fetch("SELECT * FROM held")
    assert caught.value.sqlstate == "55P03"  # lock_not_available


async def test_a_failed_question_leaves_the_connection_usable(database: Database):
    with pytest.raises(QueryFailed, match="nosuch"):
        await database.fetch("SELECT nosuch")
    with pytest.raises(QueryFailed):
        await database.fetch("this is no SQL")
    assert await database.scalar("SELECT 1") == 1


async def test_what_the_role_may_not_read_is_denied(database: Database, database_url: str):
    async with database.connect_for_writing() as writer:
        await writer.execute("CREATE TABLE private (a int)")
        await writer.execute("CREATE ROLE reader LOGIN PASSWORD 'hunter2'")
    url = psycopg.conninfo.conninfo_to_dict(database_url)
    reader = Database(Secret(f"postgresql://reader:hunter2@127.0.0.1:{url['port']}/{url['dbname']}"), origin="test")
    with pytest.raises(PermissionDenied):
        await reader.fetch("SELECT * FROM private")
    await reader.close()
    async with database.connect_for_writing() as writer:
        await writer.execute("DROP ROLE reader")


async def test_at_most_four_connections_are_used_and_they_are_kept(database: Database):
    question = "SELECT pg_sleep(0.1), pg_backend_pid() AS pid"
    pids = {row["pid"] for rows in await asyncio.gather(*(database.fetch(question) for _ in range(12))) for row in rows}
    again = {row["pid"] for rows in await asyncio.gather(*(database.fetch(question) for _ in range(4))) for row in rows}
    assert len(pids) == MAX_CONNECTIONS
    assert again <= pids


async def test_a_connection_that_the_server_closed_is_replaced_silently(database: Database):
    async with database.connect_for_writing() as writer:
        await writer.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert await database.scalar("SELECT 1") == 1


async def test_a_server_that_freezes_costs_no_more_than_the_deadline(database_url: str):
    database = Database(Secret(database_url), origin="test", timeout=0.3)
    pid = await database.scalar("SELECT pg_backend_pid()")
    os.kill(pid, signal.SIGSTOP)
    try:
        started = time.monotonic()
        with pytest.raises(DatabaseUnreachable) as caught:
            await database.fetch("SELECT 1")
        assert time.monotonic() - started < 2.5
    finally:
        os.kill(pid, signal.SIGCONT)
    assert caught.value.reason is Reason.TIMEOUT
    assert await database.scalar("SELECT 1") == 1
    await database.close()


async def test_a_caller_that_gives_up_is_not_kept_waiting(database: Database):
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await database.fetch("SELECT pg_sleep(1.5)")
    assert time.monotonic() - started < 1.2
    assert await database.scalar("SELECT 1") == 1


async def test_a_dead_port_is_refused(dead_port: int):
    error = await _reason(f"postgresql://app:hunter2@127.0.0.1:{dead_port}/app")
    assert error.reason is Reason.REFUSED
    assert isinstance(error, ResourceUnreachable)
    assert error.resource == "database"
    assert f"127.0.0.1:{dead_port}/app as app" in str(error)
    assert (await _reason(f"postgresql://app:hunter2@localhost:{dead_port}/app")).reason is Reason.REFUSED


async def test_an_unknown_host_is_named_as_such():
    assert (await _reason("postgresql://app:hunter2@nosuch.invalid/app")).reason is Reason.UNKNOWN_HOST


async def test_a_port_that_listens_and_says_nothing_times_out(silent_port: int):
    assert (await _reason(f"postgresql://app:hunter2@127.0.0.1:{silent_port}/app")).reason is Reason.TIMEOUT


async def test_a_web_server_in_its_place_is_recognised(http_port: int):
    assert (await _reason(f"postgresql://app:hunter2@127.0.0.1:{http_port}/app")).reason is Reason.WRONG_PROTOCOL


async def test_wrong_credentials_and_a_missing_database_are_told_apart(postgres: Any):
    assert (await _reason(postgres.url(password="hunter2"))).reason is Reason.AUTHENTICATION
    assert (await _reason(postgres.url(user="nobody", password="hunter2"))).reason is Reason.AUTHENTICATION
    assert (await _reason(postgres.url("nosuch"))).reason is Reason.NO_SUCH_DATABASE


async def test_a_server_without_tls_and_one_without_free_connections_are_told_apart(postgres: Any):
    assert (await _reason(postgres.url() + "?sslmode=require")).reason is Reason.TLS
    postgres.execute("CREATE ROLE crowded LOGIN PASSWORD 'hunter2' CONNECTION LIMIT 0")
    try:
        assert (await _reason(postgres.url(user="crowded", password="hunter2"))).reason is Reason.TOO_MANY_CONNECTIONS
    finally:
        postgres.execute("DROP ROLE crowded")


@pytest.mark.parametrize("url", ["mysql://app:hunter2@h/d", "", "postgresql://app:hunter2@h:port/d"])
async def test_an_address_that_cannot_be_read_is_invalid(url: str):
    error = await _reason(url)
    assert error.reason is Reason.INVALID_ADDRESS
    assert Database(Secret(url), origin="x").endpoint.address == "(invalid address)"


async def test_a_writer_writes_and_knows_vectors_wherever_the_extension_lives(database: Database):
    async with database.connect_for_writing() as writer:
        assert writer.autocommit
        await writer.execute("CREATE TABLE t (a int)")
        await writer.execute("INSERT INTO t VALUES (1)")
        await writer.execute("CREATE SCHEMA extensions")
        await writer.execute("CREATE EXTENSION vector SCHEMA extensions")
    assert await database.scalar("SELECT a FROM t") == 1
    async with database.connect_for_writing() as writer:
        row = await (
            await writer.execute("SELECT '[1,2]'::extensions.vector, current_setting('search_path')")
        ).fetchone()
    assert row is not None
    assert (row[0].to_list(), row[1]) == ([1.0, 2.0], '"$user", public')
    assert database.vector_path == '"$user", public, extensions'


async def test_closing_leaves_nothing_behind(postgres: Any, database_url: str):
    database = Database(Secret(database_url), origin="test")
    await asyncio.gather(*(database.fetch("SELECT pg_sleep(0.05)") for _ in range(4)))
    await database.close()
    name = database_url.rpartition("/")[2]
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        deadline = time.monotonic() + 5
        while connection.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = %s", (name,)).fetchone() != (
            0,
        ):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
