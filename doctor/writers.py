"""The only hands that change the target. Each journals the inverse of a step before the step takes effect."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from doctor import column_retyping, index_building, vector_writing
from doctor.backfill_leases import Leases
from doctor.file_names import visible
from doctor.fix import IndexBuild, RangeJob, RefusedError, RowsRefusedError
from doctor.journal import FileChange, Journal
from doctor.late import psycopg, sql
from doctor.lease_table import drop_leases
from doctor.model import JSON
from doctor.resources.catalog import identifier
from doctor.resources.database import GRACE, PermissionDenied, QueryTimedOut, within
from doctor.resources.statement_template import template
from doctor.server_session import Backend

if TYPE_CHECKING:
    from psycopg import AsyncConnection

    from doctor.resources.database import Database
    from doctor.resources.models import Models
    from doctor.resources.nats import Nats

T = TypeVar("T")

Opener: TypeAlias = Callable[[], Awaitable[T]]
"""Opens a resource when the first write needs it."""

LOCK_TIMEOUT = "5s"
"""How long a write waits for a lock of the application before it gives up."""

FILL_TIMEOUT = 60.0
"""Seconds that one batch of vectors may take to write; with a vector index they are some hundred rows a second."""

_FILLING = (
    f"BEGIN; SET LOCAL statement_timeout = '{FILL_TIMEOUT:g}s'; SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'; "
    f"{vector_writing.BY_KEY}"
)


class SourceWriter:
    """Replaces files below the target's root."""

    def __init__(self, root: Path, journal: Journal) -> None:
        self._root = root
        self._journal = journal

    def replace(self, path: Path, before: bytes, after: bytes) -> None:
        """Write ``after`` over ``before`` in one step, keeping the file's mode.

        Raises:
            RefusedError: when the file lies outside the target or no longer holds ``before``.
        """
        real = path.resolve()
        if not real.is_relative_to(self._root.resolve()):
            raise RefusedError(f"{visible(str(path))} lies outside the target")
        if real.read_bytes() != before:
            raise RefusedError(f"{visible(str(path))} changed while the repair was planned; run `doctor fix` again")
        relative = real.relative_to(self._root.resolve()).as_posix()
        self._journal.append(FileChange.between(relative, before, after).to_entry())
        write_atomically(real, after)


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file's content so that a reader sees the old or the new, never half; the mode stays."""
    partial = path.with_name(f".{path.name}.doctor")
    partial.write_bytes(data)
    partial.chmod(path.stat().st_mode & 0o7777)
    partial.replace(path)


class DatabaseWriter:
    """Writes rows, vectors and indexes. One short transaction a step; the journal entry precedes the commit."""

    def __init__(self, database: Opener[Database], journal: Journal) -> None:
        self._database = database
        self._journal = journal
        self._types: dict[str, dict[str, str]] = {}
        """Table → its columns' types, of the tables whose vectors are being filled."""

    async def update_row(
        self, table: str, key: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]
    ) -> None:
        """Change the columns of one row.

        Raises:
            RefusedError: when the row is gone or no longer holds ``before``.
        """
        database = await self._database()
        async with _transaction(database) as connection:
            current = await _read_row(connection, table, key, sorted(after), lock=True)
            if current is None or any(current[column] != _text(value) for column, value in before.items()):
                raise RefusedError(f"the row of {table} changed while the repair was planned; run `doctor fix` again")
            assignments = sql.SQL(", ").join(
                sql.SQL("{} = %s").format(sql.Identifier(column)) for column in sorted(after)
            )
            statement = sql.SQL("UPDATE {} SET {} WHERE {}").format(identifier(table), assignments, _matches(key))
            await connection.execute(
                template(statement), [*(after[c] for c in sorted(after)), *map(_text, key.values())]
            )
            changed = await _read_row(connection, table, key, sorted(after))
            entry = {"kind": "row", "table": table, "key": _texts(key), "before": current, "after": changed}
            self._journal.append(entry)

    async def insert_row(self, table: str, row: Mapping[str, Any], key: Sequence[str]) -> Mapping[str, Any]:
        """Insert one row and return its key. The whole row is journalled, with what the database put into it."""
        database = await self._database()
        async with _transaction(database) as connection:
            columns = sorted(row)
            statement = sql.SQL("INSERT INTO {} ({}) VALUES ({}) RETURNING {}").format(
                identifier(table),
                sql.SQL(", ").join(map(sql.Identifier, columns)),
                sql.SQL(", ").join(sql.Placeholder() * len(columns)),
                sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(column)) for column in key),
            )
            cursor = await connection.execute(template(statement), [row[column] for column in columns])
            values = await cursor.fetchone()
            assert values is not None  # RETURNING of one inserted row
            made = dict(zip(key, values, strict=True))
            whole = sorted(await _column_types(connection, table))
            inserted = await _read_row(connection, table, made, whole)
            self._journal.append({"kind": "inserted", "table": table, "key": made, "after": inserted})
        return made

    async def create_index(self, build: IndexBuild, progress: Callable[[str], None]) -> str:
        """Build one index on a connection of its own; see :func:`doctor.index_building.build`."""
        return await index_building.build(await self._database(), build, self._journal.append, progress)

    async def drop_index(self, again: IndexBuild) -> None:
        """Drop a valid index; ``again`` is how undo builds it anew."""
        self._journal.append({"kind": "index dropped", "name": again.name, "again": asdict(again)})
        await index_building.retire(await self._database(), again.name)

    async def drop_invalid_index(self, name: str) -> None:
        """Drop what a failed build left behind; it served nobody, so undo does not bring it back.

        Raises:
            RefusedError: when the index is valid, or being built.
        """
        database = await self._database()
        async with database.connect_for_writing() as connection:
            await index_building.require_invalid(connection, name)
        self._journal.append({"kind": "dropped", "name": name})
        await index_building.remove(database, name)

    async def retype_vectors(self, table: str, column: str, before: int, after: int) -> None:
        """Change the number of dimensions of a vector column that holds no vector."""
        database = await self._database()
        async with _transaction(database) as connection:
            self._journal.append(await column_retyping.retype(connection, table, column, before, after))

    async def fill_vectors(
        self, table: str, key: str, column: str, content: str, rows: Sequence[tuple[Any, bytes, bytes]]
    ) -> int:
        """Write vectors where the column is still NULL and the embedded content is unchanged; return how many."""
        database = await self._database()
        try:
            async with database.connect_for_writing(reused=True) as connection:
                beginning = _FILLING + _in_sight(database)
                filling = self._fill(connection, beginning, table, key, column, content, rows)
                return await within(connection, filling, FILL_TIMEOUT + GRACE)
        except (
            psycopg.errors.LockNotAvailable,
            psycopg.errors.DeadlockDetected,
            psycopg.errors.QueryCanceled,
        ) as error:
            raise QueryTimedOut(str(error), error.sqlstate or "") from error
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction) as error:
            raise PermissionDenied(error.diag.message_primary or str(error), error.sqlstate or "") from error
        except (psycopg.DataError, psycopg.IntegrityError, psycopg.errors.RaiseException) as error:
            raise RowsRefusedError(f"{table} does not take it: {error}") from error

    async def _fill(
        self,
        connection: AsyncConnection[Any],
        beginning: str,
        table: str,
        key: str,
        column: str,
        content: str,
        rows: Sequence[tuple[Any, bytes, bytes]],
    ) -> int:
        async with _begun(connection, beginning):
            if table not in self._types:
                self._types[table] = await _column_types(connection, table)
            entry = await vector_writing.fill(connection, self._types[table], table, key, column, content, rows)
            if entry is not None:
                await asyncio.to_thread(self._journal.append, entry)  # other workers need not wait for the disk
        return 0 if entry is None else len(entry["rows"])

    def leases(self, job: RangeJob) -> Leases:
        """Take part in a job, together with whoever else does."""
        return Leases(self._database, self._journal, job)


@asynccontextmanager
async def _transaction(database: Database) -> AsyncIterator[AsyncConnection[Any]]:
    """Yield a connection in a transaction that does not wait long for the application's locks.

    Whatever is set is set for the transaction: behind a pooler, its session is the application's in the next moment.
    """
    async with database.connect_for_writing() as connection, connection.transaction():
        await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'{_in_sight(database)}")
        yield connection


def _in_sight(database: Database) -> str:
    """Return the rest of a transaction's beginning, by which it sees the types of pgvector wherever they are."""
    if not database.vector_path:
        return ""
    return sql.SQL("; SELECT set_config('search_path', {}, true)").format(database.vector_path).as_string(None)


@asynccontextmanager
async def _begun(connection: AsyncConnection[Any], beginning: str) -> AsyncIterator[None]:
    """Have a transaction until the end of the block that begins with settings of its own, in one round trip."""
    await connection.execute(beginning)
    try:
        yield
        await connection.execute("COMMIT")
    except BaseException:
        with suppress(psycopg.Error):  # a lost connection has rolled back
            await connection.execute("ROLLBACK")
        raise


async def _read_row(
    connection: AsyncConnection[Any],
    table: str,
    key: Mapping[str, Any],
    columns: Sequence[str],
    *,
    lock: bool = False,
) -> dict[str, str | None] | None:
    statement = sql.SQL("SELECT {} FROM {} WHERE {}{}").format(
        sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(column)) for column in columns),
        identifier(table),
        _matches(key),
        sql.SQL(" FOR UPDATE" if lock else ""),
    )
    cursor = await connection.execute(template(statement), [_text(value) for value in key.values()])
    values = await cursor.fetchone()
    return None if values is None else dict(zip(columns, values, strict=True))


def _quoted(name: str) -> str:
    return identifier(name).as_string(None)


def _matches(key: Mapping[str, Any]) -> sql.Composable:
    return sql.SQL(" AND ").join(sql.SQL("{}::text = %s").format(sql.Identifier(column)) for column in key)


def _text(value: Any) -> str | None:
    """Return a value as PostgreSQL's ``::text`` shows it, for the types that fixes write."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _texts(values: Mapping[str, Any]) -> dict[str, str | None]:
    return {column: _text(value) for column, value in values.items()}


class QueueWriter:
    """Publishes TaskIQ messages on JetStream, in the form of TaskIQ's own JSON formatter (taskiq 0.13)."""

    def __init__(self, nats: Opener[Nats], journal: Journal, subject: str) -> None:
        self._nats = nats
        self._journal = journal
        self._subject = subject

    async def publish(self, task: str, arguments: Mapping[str, JSON]) -> None:
        """Enqueue one task and wait until the stream has it."""
        task_id = uuid.uuid4().hex
        message = {
            "task_id": task_id,
            "task_name": task,
            "labels": {},
            "labels_types": {},
            "args": [],
            "kwargs": dict(arguments),
        }
        self._journal.append({"kind": "published", "task": task, "arguments": dict(arguments), "task_id": task_id})
        await (await self._nats()).publish(self._subject, json.dumps(message).encode())


class ModelWriter:
    """Makes a model server download a model. Not taken back by undo: a model that nobody uses does no harm."""

    def __init__(self, models: Opener[Models], journal: Journal) -> None:
        self._models = models
        self._journal = journal

    async def pull(self, server: str, model: str, progress: Callable[[str], None]) -> None:
        """Download ``model`` to ``server``, telling ``progress`` about it."""
        self._journal.append({"kind": "pulled", "server": server, "model": model})
        await (await self._models()).ollama(server).pull(model, progress)


class Undo:
    """Takes journalled steps back, last first, and refuses what somebody changed since."""

    def __init__(self, root: Path, journal: Journal, database: Opener[Database]) -> None:
        self._root = root
        self._journal = journal
        self._database = database

    async def revert(self, entry: Mapping[str, Any]) -> str | None:
        """Take one step back; return what was done, or None when there was nothing to do.

        Raises:
            JournalError: a file was changed since.
            RefusedError: a row was changed since, or the step has no inverse in this version.
        """
        steps: dict[str, Callable[[Mapping[str, Any]], Awaitable[str | None]]] = {
            "file": self._file,
            "row": self._row,
            "inserted": self._inserted,
            "index": self._index,
            "index dropped": self._index_dropped,
            "vectors": self._vectors,
            "retyped": self._retyped,
            "leases": self._leases,
        }
        try:
            done = await steps[entry["kind"]](entry) if entry["kind"] in steps else None
        except KeyError as error:
            what = f"{entry['table']} has no column {error} any more" if "table" in entry else f"step without {error}"
            raise RefusedError(f"{what}; undo leaves it alone") from error
        self._journal.append({"kind": "undone", "step": entry["step"]})
        return done

    async def _file(self, entry: Mapping[str, Any]) -> str | None:
        change = FileChange.from_entry(dict(entry))
        path = (self._root / change.path).resolve()
        if not path.is_relative_to(self._root.resolve()):
            raise RefusedError(f"{visible(change.path)} lies outside the target")
        if not path.is_file():
            raise RefusedError(f"{visible(change.path)} is gone; undo does not bring it back")
        restored = await asyncio.to_thread(lambda: change.revert(path.read_bytes()))
        if restored is None:
            return None
        write_atomically(path, restored)
        return f"{visible(change.path)} restored"

    async def _row(self, entry: Mapping[str, Any]) -> str | None:
        database = await self._database()
        table, key, before, after = entry["table"], entry["key"], entry["before"], entry["after"]
        async with _transaction(database) as connection:
            types = await _column_types(connection, table)
            current = await _read_row(connection, table, key, sorted(after), lock=True)
            if current == before:
                return None
            if current != after:
                raise RefusedError(f"a row of {table} was changed since the repair; undo leaves it alone")
            assignments = sql.SQL(", ").join(
                sql.SQL("{} = %s::{}").format(sql.Identifier(column), sql.SQL(types[column])) for column in before
            )
            statement = sql.SQL("UPDATE {} SET {} WHERE {}").format(identifier(table), assignments, _matches(key))
            await connection.execute(template(statement), [*before.values(), *key.values()])
        return f"1 row of {table} restored"

    async def _inserted(self, entry: Mapping[str, Any]) -> str | None:
        database = await self._database()
        table, key, after = entry["table"], entry["key"], entry["after"]
        async with _transaction(database) as connection:
            current = await _read_row(connection, table, key, sorted(after), lock=True)
            if current is None:
                return None
            if current != after:
                raise RefusedError(f"the row inserted into {table} was changed since; undo leaves it alone")
            await connection.execute(
                sql.SQL("DELETE FROM {} WHERE {}").format(identifier(table), _matches(key)), list(key.values())
            )
        return f"1 row of {table} removed"

    async def _index(self, entry: Mapping[str, Any]) -> str | None:
        backend = Backend(entry["pid"], entry["since"]) if "pid" in entry else None
        there = await index_building.remove(await self._database(), entry["name"], backend)
        return f"index {entry['name']} dropped" if there else None

    async def _index_dropped(self, entry: Mapping[str, Any]) -> str | None:
        rebuilt = await index_building.restore(await self._database(), IndexBuild(**entry["again"]))
        return f"index {entry['name']} built again" if rebuilt else None

    async def _vectors(self, entry: Mapping[str, Any]) -> str | None:
        database = await self._database()
        async with _transaction(database) as connection:
            types = await _column_types(connection, entry["table"])
            try:
                return await vector_writing.empty(connection, types, entry)
            except RefusedError as error:
                refused = error  # what it has emptied by then stays so
        raise refused

    async def _retyped(self, entry: Mapping[str, Any]) -> str | None:
        database = await self._database()
        async with _transaction(database) as connection:
            return await column_retyping.restore(connection, entry)

    async def _leases(self, entry: Mapping[str, Any]) -> str | None:
        database = await self._database()
        async with _transaction(database) as connection:
            return await drop_leases(connection, entry)


async def _column_types(connection: AsyncConnection[Any], table: str) -> dict[str, str]:
    cursor = await connection.execute(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
        "WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
        [identifier(table).as_string(connection)],
    )
    return dict(await cursor.fetchall())
