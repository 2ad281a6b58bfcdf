"""Canary messages: what is sent through the chain, how their rows are recognised, and how they are removed again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from psycopg import sql

from doctor.chain import Chain
from doctor.resources.catalog import Table, tables_like
from doctor.writers import identifier

if TYPE_CHECKING:
    from psycopg import AsyncConnection

    from doctor.resources.database import Database

SENTENCES = (
    "the nightly database backup failed again because the disk of the backup server is full",
    "solution for the backup: rotate old database dumps after seven days and alert at eighty percent disk",
    "decision: we move the database backup to object storage next week",
    "how long does a restore of the database backup take at the moment?",
    "insight: a restore test of the backup takes forty minutes, most of it index builds",
    "the search page is slow when many users query embeddings at once",
    "problem: the search query scans all embeddings because the vector index is missing",
    "solution: build an hnsw vector index for the search embeddings",
    "decision: every search query gets a limit and a similarity threshold",
    "insight: search quality drops when the embeddings come from two models",
)
"""Two subjects, so that an extraction finds topics; each canary takes one sentence and its own number."""


@dataclass(frozen=True, slots=True)
class Canaries:
    """The canaries of one verification. ``group`` is the value of the chain's ``isolated_by`` column."""

    marker: str
    group: int
    count: int

    def texts(self) -> list[str]:
        """Return the texts; each carries the marker, by which its row is found."""
        return [f"[{self.marker}-{number:02}] {SENTENCES[number % len(SENTENCES)]}" for number in range(self.count)]

    def updates(self, now: int) -> list[dict[str, Any]]:
        """Return Telegram updates (Bot API, object Update) with ``now`` (seconds since the epoch) as their date."""
        return [
            {
                "update_id": abs(self.group) % 1_000_000_000 + number,
                "message": {
                    "message_id": number + 1,
                    "date": now,
                    "chat": {"id": self.group, "type": "group", "title": self.marker},
                    "from": {"id": 1, "is_bot": True, "first_name": "doctor"},
                    "text": text,
                },
            }
            for number, text in enumerate(self.texts())
        ]


def recognises(chain: Chain, canaries: Canaries) -> sql.Composable:
    """Return the condition that holds for the canaries' rows of the message table, and for no others."""
    marked = sql.SQL("{} LIKE {}").format(sql.Identifier(chain.content), sql.Literal(f"[{canaries.marker}-%"))
    if chain.isolated_by is None:
        return marked
    return sql.SQL("({} AND {} = {})").format(marked, sql.Identifier(chain.isolated_by), sql.Literal(canaries.group))


async def remove(database: Database, chain: Chain, canaries: Canaries, since: datetime) -> dict[str, int]:
    """Delete the canaries and what only they brought into being; return table → rows deleted.

    Along foreign keys: rows made after ``since`` (the database's clock) that the canaries refer to and no other message
    does (topics, claims), and rows that refer to any of these (atoms, links). Dead letters of the canaries go too. One
    transaction; a table that is not connected by a foreign key is not touched.
    """
    tables = {table.name: table for table in await tables_like(database, ())}
    messages = _resolve(tables, chain.message_table)
    if messages is None or len(messages.primary_key) != 1:
        return {}
    async with database.connect_for_writing() as connection, connection.transaction():
        await connection.execute("SET LOCAL lock_timeout = '5s'")
        condition = recognises(chain, canaries)
        doomed: dict[str, list[Any]] = {messages.name: await _keys(connection, messages, condition)}
        for link in messages.foreign_keys:
            parent = tables.get(f"{link.target_schema}.{link.target_table}")
            if parent is not None and len(link.columns) == 1 and len(parent.primary_key) == 1:
                keys = await _only_theirs(connection, messages, link.columns[0], condition)
                doomed[parent.name] = await _made_since(connection, parent, keys, chain.created_at, since)
        await _add_children(connection, tables, messages.name, doomed)
        await _forget_dead_letters(connection, tables, chain, doomed[messages.name])
        return await _delete(connection, tables, messages.name, doomed)


async def _forget_dead_letters(
    connection: AsyncConnection[Any], tables: dict[str, Table], chain: Chain, keys: list[Any]
) -> None:
    """Delete the dead letters whose task was to work on a canary: what they ask for can never be done."""
    table = _resolve(tables, chain.failed_tasks_table) if chain.failed_tasks_table else None
    if table is None or table.columns.get("arguments") not in ("json", "jsonb"):
        return
    for stage in chain.stages:
        if stage.task and stage.requeue_argument:
            await connection.execute(
                sql.SQL("DELETE FROM {} WHERE task = %s AND arguments ->> %s = ANY(%s)").format(table.quoted),
                [stage.task, stage.requeue_argument, [str(key) for key in keys]],
            )


async def _only_theirs(
    connection: AsyncConnection[Any], messages: Table, column: str, condition: sql.Composable
) -> list[Any]:
    statement = sql.SQL(
        "SELECT DISTINCT {c} FROM {t} WHERE {mine} AND {c} IS NOT NULL "
        "EXCEPT SELECT {c} FROM {t} WHERE NOT {mine} AND {c} IS NOT NULL"
    ).format(c=sql.Identifier(column), t=messages.quoted, mine=condition)
    return [row[0] for row in await (await connection.execute(statement)).fetchall()]


async def _made_since(
    connection: AsyncConnection[Any], table: Table, keys: list[Any], created_at: str, since: datetime
) -> list[Any]:
    """Leave out what was there before the canaries; a table without a time column has no say."""
    if created_at not in table.columns or not keys:
        return keys
    condition = sql.SQL("{} = ANY({}) AND {} >= {}").format(
        sql.Identifier(table.primary_key[0]), sql.Literal(keys), sql.Identifier(created_at), sql.Literal(since)
    )
    return await _keys(connection, table, condition)


async def _add_children(
    connection: AsyncConnection[Any], tables: dict[str, Table], messages: str, doomed: dict[str, list[Any]]
) -> None:
    """Follow foreign keys downwards from the doomed parents until nothing new is found."""
    frontier = [name for name in doomed if name != messages]
    while frontier:
        parent = frontier.pop(0)
        for child in tables.values():
            for link in child.foreign_keys:
                if f"{link.target_schema}.{link.target_table}" != parent or child.name == messages:
                    continue
                if not doomed[parent] or len(child.primary_key) != 1:
                    continue
                condition = sql.SQL("{} = ANY({})").format(sql.Identifier(link.columns[0]), sql.Literal(doomed[parent]))
                new = [
                    key for key in await _keys(connection, child, condition) if key not in doomed.get(child.name, ())
                ]
                if new:
                    doomed.setdefault(child.name, []).extend(new)
                    frontier.append(child.name)


async def _delete(
    connection: AsyncConnection[Any], tables: dict[str, Table], messages: str, doomed: dict[str, list[Any]]
) -> dict[str, int]:
    order = _children_first(tables, [name for name in doomed if doomed[name]])
    counts = {}
    for name in order:
        table = tables[name]
        statement = sql.SQL("DELETE FROM {} WHERE {} = ANY(%s)").format(
            identifier(name), sql.Identifier(table.primary_key[0])
        )
        cursor = await connection.execute(statement, [doomed[name]])
        counts[name] = cursor.rowcount
    return counts


def _children_first(tables: dict[str, Table], names: Sequence[str]) -> list[str]:
    parents = {
        name: {f"{link.target_schema}.{link.target_table}" for link in tables[name].foreign_keys} & set(names) - {name}
        for name in names
    }
    ordered: list[str] = []
    while parents:
        free = sorted(name for name in parents if not any(name in others for others in parents.values()))
        ordered += free or sorted(parents)
        parents = {name: others for name, others in parents.items() if name not in ordered}
    return ordered


async def _keys(connection: AsyncConnection[Any], table: Table, condition: sql.Composable) -> list[Any]:
    statement = sql.SQL("SELECT {} FROM {} WHERE {}").format(
        sql.Identifier(table.primary_key[0]), table.quoted, condition
    )
    return [row[0] for row in await (await connection.execute(statement)).fetchall()]


def _resolve(tables: dict[str, Table], name: str) -> Table | None:
    if name in tables:
        return tables[name]
    matching = [table for table in tables.values() if table.table == name]
    return next((table for table in matching if table.schema == "public"), matching[0] if len(matching) == 1 else None)
