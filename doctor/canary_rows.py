"""What the canaries brought into being, and its removal: along foreign keys, and only what nobody else uses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from doctor.canary import Canaries, recognises
from doctor.canary_record import CanaryRecord
from doctor.canary_tasks import Traces
from doctor.chain import Chain
from doctor.late import sql
from doctor.resources.catalog import ForeignKey, Table, tables_like

if TYPE_CHECKING:
    from psycopg import AsyncConnection

    from doctor.resources.database import Database

_LIMITS = "SET LOCAL lock_timeout = '5s'; SET LOCAL statement_timeout = '60s'"
"""Of a transaction, not of the session: behind a pooler that is the application's in the next moment."""

Keys = dict[str, list[Any]]
"""Table (``schema.table``) → primary keys of its rows."""


@dataclass(slots=True)
class Found:
    """The rows that the canaries brought into being.

    ``keys`` by primary key; ``leaves`` are tables without a key of one column, whose rows are known by what they refer
    to; ``left`` are tables with rows that only canaries refer to but that may have been there before: they stay.
    """

    keys: Keys = field(default_factory=dict)
    leaves: list[tuple[Table, ForeignKey]] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Removed:
    """Table → rows deleted, and the tables whose rows stay because nothing tells that they are new."""

    rows: dict[str, int]
    left: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter: its key, the task, and the error as it was written down (empty where the table has none)."""

    key: Any
    task: str
    error: str


_DEAD_LETTERS = "SELECT {key}, task, arguments::text, {error} FROM {table} ORDER BY {key} DESC LIMIT 10000"
"""The newest: those of the canaries are seconds old."""


@dataclass(frozen=True, slots=True)
class CanaryRows:
    """The rows of one proof, seen through a connection of its own. ``since`` is the database's clock at its start."""

    connection: AsyncConnection[Any]
    chain: Chain
    canaries: Canaries
    since: datetime
    tables: dict[str, Table]
    words: tuple[str, ...] = ()
    """By what else their tasks and dead letters are known: uuids of rows that are gone already."""

    @classmethod
    @asynccontextmanager
    async def of(cls, database: Database, chain: Chain, record: CanaryRecord) -> AsyncIterator[CanaryRows]:
        """Open a connection and read the catalog."""
        tables = {table.name: table for table in await tables_like(database, ())}
        async with database.connect_for_writing() as connection:
            yield cls(connection, chain, record.canaries, record.since, tables, record.words)

    async def find(self) -> Found:
        """Return the rows that the canaries brought into being.

        The canaries themselves; rows made since that they refer to and no other message does (topics), or that carry
        the canaries' group (claims); and rows that refer to any of these (atoms, links). What may have been there
        before is left, and so is every table that no foreign key connects with the messages.
        """
        messages = resolve(self.tables, self.chain.message_table)
        if messages is None or len(messages.primary_key) != 1:
            return Found()
        condition = recognises(self.chain, self.canaries)
        found = Found({messages.name: await self._select(messages, condition)})
        for link in messages.foreign_keys:
            parent = self.tables.get(link.target)
            if parent is None or parent.name == messages.name or len(link.columns) != 1 or len(parent.primary_key) != 1:
                continue
            theirs = await self._of_their_group(parent)
            only_theirs = await self._only_theirs(messages, link.columns[0], condition)
            if self.chain.created_at in parent.columns:
                theirs += await self._made_since(parent, link, only_theirs)
            elif set(only_theirs) - set(theirs):
                found.left.append(parent.name)
            found.keys[parent.name] = list(dict.fromkeys([*found.keys.get(parent.name, ()), *theirs]))
        await self._add_children(messages.name, found)
        return found

    async def made(self) -> dict[str, int]:
        """Return how many rows the canaries have brought into being, table by table, parents first.

        Without the messages themselves and the claims on them; a table that got none counts 0.
        """
        messages = resolve(self.tables, self.chain.message_table)
        if messages is None:
            return {}
        found = await self.find()
        claims = {stage.taken_by for stage in self.chain.stages}
        own = [link.target for link in messages.foreign_keys if link.columns[0] in claims]
        names = [table.name for table in reachable(messages, self.tables) if table.name not in (messages.name, *own)]
        counts = {name: len(found.keys.get(name, ())) for name in reversed(_children_first(self.tables, names))}
        for child, link in (leaf for leaf in found.leaves if leaf[0].name in counts):
            condition = self._refers(child, link, found.keys)
            statement = sql.SQL("SELECT count(*) FROM {} WHERE {}").format(child.quoted, condition)
            counts[child.name] += (await self._ask(statement))[0][0]
        return counts

    async def claims(self) -> tuple[int, int]:
        """Return how many batches of canaries were taken by an extraction, and how many canaries are in one now.

        A claim that was given back still counts where its row names the canaries' group.
        """
        messages = resolve(self.tables, self.chain.message_table)
        column = next((stage.taken_by for stage in self.chain.stages if stage.taken_by), None)
        if messages is None or column is None:
            return 0, 0
        statement = sql.SQL("SELECT count(DISTINCT {c}), count({c}) FROM {t} WHERE {mine}").format(
            c=sql.Identifier(column), t=messages.quoted, mine=recognises(self.chain, self.canaries)
        )
        batches, taken = (await self._ask(statement))[0]
        for link in messages.foreign_keys:
            parent = self.tables.get(link.target)
            if link.columns == (column,) and parent is not None and len(parent.primary_key) == 1:
                batches = max(batches, len(await self._of_their_group(parent)))
        return batches, taken

    async def traces(self) -> Traces:
        """Return by what tasks and dead letters of the canaries are known, as far as there are rows now."""
        return self._traces((await self.find()).keys)

    async def newest_letter(self, traces: Traces) -> Letter | None:
        """Return the newest dead letter of a task that was to work on canaries."""
        letters = await self._dead_letters(traces)
        return letters[0] if letters else None

    async def remove(self) -> Removed:
        """Delete it all in one transaction.

        Raises:
            psycopg.Error: something could not be deleted; then nothing was.
        """
        async with self.connection.transaction():
            await self.connection.execute(_LIMITS)
            found = await self.find()
            letters = [letter.key for letter in await self._dead_letters(self._traces(found.keys))]
            counts: dict[str, int] = {}
            for child, link in found.leaves:
                condition = self._refers(child, link, found.keys)
                statement = sql.SQL("DELETE FROM {} WHERE {}").format(child.quoted, condition)
                counts[child.name] = counts.get(child.name, 0) + (await self.connection.execute(statement)).rowcount
            for name in _children_first(self.tables, [name for name in found.keys if found.keys[name]]):
                counts[name] = counts.get(name, 0) + await self._delete(self.tables[name], found.keys[name])
            table = self._failed_tasks()
            if table is not None and letters:
                counts[table.name] = counts.get(table.name, 0) + await self._delete(table, letters)
        return Removed(counts, tuple(found.left))

    def _traces(self, found: Keys) -> Traces:
        words = [self.canaries.marker]
        if self.chain.isolated_by is not None:
            words.append(str(self.canaries.group))
        words += self.words
        words += [str(key) for keys in found.values() for key in keys if isinstance(key, UUID)]
        by_task = {}
        for stage in self.chain.stages:
            table = resolve(self.tables, stage.table) if stage.table else None
            if stage.task and table is not None:
                by_task[stage.task] = frozenset(str(key) for key in found.get(table.name, ()))
        return Traces(tuple(words), by_task)

    def _failed_tasks(self) -> Table | None:
        table = resolve(self.tables, self.chain.failed_tasks_table) if self.chain.failed_tasks_table else None
        known = table is not None and {"task", "arguments"} <= table.columns.keys() and len(table.primary_key) == 1
        return table if known else None

    async def _dead_letters(self, traces: Traces) -> list[Letter]:
        """Return the dead letters, newest first, whose task was to work on canaries: no replay could do that."""
        table = self._failed_tasks()
        if table is None:
            return []
        error = sql.Identifier("error") if "error" in table.columns else sql.SQL("''")
        key = sql.Identifier(table.primary_key[0])
        statement = sql.SQL(_DEAD_LETTERS).format(key=key, table=table.quoted, error=error)
        rows = await self._ask(statement)
        return [
            Letter(number, task, str(error or ""))
            for number, task, arguments, error in rows
            if traces.are_in_letter(task, arguments or "")
        ]

    async def _only_theirs(self, messages: Table, column: str, condition: sql.Composable) -> list[Any]:
        statement = sql.SQL(
            "SELECT DISTINCT {c} FROM {t} WHERE {mine} AND {c} IS NOT NULL "
            "EXCEPT SELECT {c} FROM {t} WHERE NOT {mine} AND {c} IS NOT NULL"
        ).format(c=sql.Identifier(column), t=messages.quoted, mine=condition)
        return [row[0] for row in await self._ask(statement)]

    async def _made_since(self, table: Table, link: ForeignKey, values: list[Any]) -> list[Any]:
        """Return the keys of the rows that are referred to by ``values`` and were made since the canaries were sent."""
        condition = sql.SQL("{} = ANY({}) AND {} >= {}").format(
            sql.Identifier(link.target_columns[0]),
            sql.Literal(values),
            sql.Identifier(self.chain.created_at),
            sql.Literal(self.since),
        )
        return await self._select(table, condition) if values else []

    async def _of_their_group(self, table: Table) -> list[Any]:
        """Rows that name the canaries' own group: no message may refer to them any more, as to a claim given back."""
        if self.chain.isolated_by is None or self.chain.isolated_by not in table.columns:
            return []
        column = sql.Identifier(self.chain.isolated_by)
        return await self._select(table, sql.SQL("{} = {}").format(column, sql.Literal(self.canaries.group)))

    async def _add_children(self, messages: str, found: Found) -> None:
        """Follow foreign keys downwards until nothing new is found."""
        frontier = [name for name in found.keys if name != messages]
        while frontier:
            parent = frontier.pop(0)
            for child in self.tables.values():
                for link in child.foreign_keys:
                    refers = link.target == parent and len(link.columns) == 1
                    if refers and child.name != messages and found.keys[parent] and await self._add(child, link, found):
                        frontier.append(child.name)

    async def _add(self, child: Table, link: ForeignKey, found: Found) -> bool:
        """Add the rows of a table that refer to found ones; tell whether any of them can be referred to in turn."""
        if len(child.primary_key) != 1:
            if (child, link) not in found.leaves:
                found.leaves.append((child, link))
            return False
        known = set(found.keys.get(child.name, ()))
        new = [key for key in await self._select(child, self._refers(child, link, found.keys)) if key not in known]
        if new:
            found.keys.setdefault(child.name, []).extend(new)
        return bool(new)

    def _refers(self, child: Table, link: ForeignKey, keys: Keys) -> sql.Composable:
        """Return the condition that holds for the rows of ``child`` that refer to found rows by ``link``."""
        parent = self.tables[link.target]
        return sql.SQL("{} IN (SELECT {} FROM {} WHERE {} = ANY({}))").format(
            sql.Identifier(link.columns[0]),
            sql.Identifier(link.target_columns[0]),
            parent.quoted,
            sql.Identifier(parent.primary_key[0]),
            sql.Literal(keys[parent.name]),
        )

    async def _select(self, table: Table, condition: sql.Composable) -> list[Any]:
        statement = sql.SQL("SELECT {} FROM {} WHERE {}").format(
            sql.Identifier(table.primary_key[0]), table.quoted, condition
        )
        return [row[0] for row in await self._ask(statement)]

    async def _ask(self, statement: sql.Composed) -> list[tuple[Any, ...]]:
        async with self.connection.transaction():
            await self.connection.execute(_LIMITS)
            return await (await self.connection.execute(statement)).fetchall()

    async def _delete(self, table: Table, keys: list[Any]) -> int:
        statement = sql.SQL("DELETE FROM {} WHERE {} = ANY(%s)").format(
            table.quoted, sql.Identifier(table.primary_key[0])
        )
        return (await self.connection.execute(statement, [keys])).rowcount


def resolve(tables: Mapping[str, Table], name: str) -> Table | None:
    """Return the table that a name in the chain means: with its schema, or in ``public``, or the only one."""
    if name in tables:
        return tables[name]
    matching = [table for table in tables.values() if table.table == name]
    public = next((table for table in matching if table.schema == "public"), None)
    return public or (matching[0] if len(matching) == 1 else None)


def reachable(messages: Table, tables: Mapping[str, Table]) -> list[Table]:
    """Return the table of the messages, those it refers to, and those that refer to these, down to the last."""
    parents = [link.target for link in messages.foreign_keys]
    found = {messages.name: messages} | {name: tables[name] for name in parents if name in tables}
    frontier = [name for name in found if name != messages.name]
    while frontier:
        parent = frontier.pop()
        for child in tables.values():
            refers = any(link.target == parent for link in child.foreign_keys)
            if refers and child.name not in found:
                found[child.name] = child
                frontier.append(child.name)
    return [found[name] for name in sorted(found)]


def _children_first(tables: dict[str, Table], names: Sequence[str]) -> list[str]:
    parents = {name: {link.target for link in tables[name].foreign_keys} & set(names) - {name} for name in names}
    ordered: list[str] = []
    while parents:
        free = sorted(name for name in parents if not any(name in others for others in parents.values()))
        ordered += free or sorted(parents)
        parents = {name: others for name, others in parents.items() if name not in ordered}
    return ordered
