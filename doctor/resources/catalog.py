"""What PostgreSQL's catalog says about vector columns, their indexes, and tables that have certain columns.

Measured with 4,128 relations, 13 vector columns: 24 ms. Works for a role without any privilege on the tables
(``can_select`` says so).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from doctor.late import sql
from doctor.resources.database import Database

VECTOR_METHODS = frozenset({"hnsw", "ivfflat", "diskann", "vchordrq", "vchordg"})
"""Access methods that answer a similarity query. A btree on a vector column is accepted, and breaks later inserts."""


@dataclass(frozen=True, slots=True)
class VectorIndex:
    """One index on a vector column, or on an ``expression`` over it. ``bytes`` is its size, ``predicate`` its WHERE.

    ``operators`` are those by which it gives rows in order, such as ``<=>``. ``holds_column`` is false where only an
    expression or the predicate uses the column. ``finds_nulls``: it holds exactly the rows in which the column is NULL.
    ``building``: it is not valid, and somebody builds an index on its table. ``partitioned``: it holds nothing itself,
    and is valid once each partition has an index ``attached`` to it. ``tablespace`` is None for the database's own.
    While somebody locks the table, or waits to, ``definition`` is empty, and an ``expression`` or
    ``predicate`` is ``?``.
    """

    schema: str
    name: str
    method: str
    operator_classes: tuple[str, ...]
    operators: tuple[str, ...]
    options: tuple[str, ...]
    valid: bool
    ready: bool
    live: bool
    unique: bool
    building: bool
    partitioned: bool
    attached: bool
    expression: str | None
    holds_column: bool
    predicate: str | None
    tablespace: str | None
    finds_nulls: bool
    bytes: int
    scans: int
    definition: str

    @property
    def full_name(self) -> str:
        """``schema.name``, as :func:`qualified`."""
        return qualified(self.schema, self.name)

    @property
    def is_vector_index(self) -> bool:
        """Whether the access method is one for similarity."""
        return self.method in VECTOR_METHODS

    @property
    def is_usable(self) -> bool:
        """Whether the planner may use it now."""
        return self.valid and self.ready and self.live

    @property
    def is_broken(self) -> bool:
        """Left behind by a build that failed: it is not valid, nobody builds it, and it waits for no partitions."""
        return not self.valid and not self.building and not self.partitioned


_QUOTE = '"'
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
_QUOTED_SCHEMA = re.compile(r'"((?:[^"]|"")+)"\.(.+)', re.DOTALL)


def qualified(schema: str, name: str) -> str:
    """Return ``schema.name``; a schema that holds a dot or a quote stands in quotes, so that it can be told again."""
    return f"{_in_quotes(schema) if set(schema) & set('.' + _QUOTE) else schema}.{name}"


def parts(name: str) -> tuple[str, ...]:
    """Return the schema, where there is one, and the name: what :func:`qualified` was made of, or somebody wrote."""
    if found := _QUOTED_SCHEMA.fullmatch(name):
        return found[1].replace(_QUOTE * 2, _QUOTE), found[2]
    return tuple(name.split(".", 1))


def identifier(name: str) -> sql.Identifier:
    """Quote ``schema.table`` or a plain name; the table's own name may hold dots."""
    return sql.Identifier(*parts(name))


def quoted(name: str) -> str:
    """Quote a name as :func:`identifier`, for ``to_regclass``, which takes what has no quotes for small letters."""
    return identifier(name).as_string(None)


def readable(name: str) -> str:
    """Return ``schema.table`` or a plain name as SQL would have it: what needs quotes gets them."""
    return ".".join(part if _PLAIN.fullmatch(part) else _in_quotes(part) for part in parts(name))


def _in_quotes(part: str) -> str:
    return sql.Identifier(part).as_string(None)


@dataclass(frozen=True, slots=True)
class VectorColumn:
    """One column of a pgvector type.

    ``dimensions`` is None for an unbounded column. ``estimated_rows`` comes from the last ANALYZE and is 0 when
    ``never_analyzed``. ``null_fraction`` is None when it is not known. A partitioned table has no rows of its own: its
    numbers are those of its partitions. ``rows_hidden``: row-level security may hide rows from the role that asks.
    ``root`` is the outermost partitioned table (``schema.table``) of a partition.
    """

    schema: str
    table: str
    column: str
    type: str
    dimensions: int | None
    not_null: bool
    partitioned: bool
    partition: bool
    estimated_rows: int
    never_analyzed: bool
    null_fraction: float | None
    heap_bytes: int
    total_bytes: int
    can_select: bool
    rows_hidden: bool
    primary_key: tuple[str, ...]
    indexes: tuple[VectorIndex, ...]
    root: str | None = None

    @property
    def table_name(self) -> str:
        """``schema.table``, for people."""
        return qualified(self.schema, self.table)

    @property
    def name(self) -> str:
        """``schema.table.column``, for people and as the id of a resource."""
        return f"{self.table_name}.{self.column}"

    @property
    def quoted_table(self) -> sql.Identifier:
        """The table, for a statement composed with ``psycopg.sql``."""
        return sql.Identifier(self.schema, self.table)

    @property
    def vector_indexes(self) -> tuple[VectorIndex, ...]:
        """The indexes whose access method is one for similarity."""
        return tuple(index for index in self.indexes if index.is_vector_index)

    @property
    def has_index_of_nulls(self) -> bool:
        """Whether an index holds exactly the NULLs, so that counting them reads no more than them."""
        return any(index.finds_nulls and index.is_usable for index in self.indexes)


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """``columns`` of a table refer to ``target_columns`` of another."""

    name: str
    columns: tuple[str, ...]
    target_schema: str
    target_table: str
    target_columns: tuple[str, ...]

    @property
    def target(self) -> str:
        """``schema.table`` of the other, for people."""
        return qualified(self.target_schema, self.target_table)


@dataclass(frozen=True, slots=True)
class Table:
    """An ordinary or partitioned table. ``columns`` maps name → type as PostgreSQL writes it, in order."""

    schema: str
    table: str
    columns: dict[str, str]
    primary_key: tuple[str, ...]
    foreign_keys: tuple[ForeignKey, ...]
    can_select: bool

    @property
    def name(self) -> str:
        """``schema.table``, for people."""
        return qualified(self.schema, self.table)

    @property
    def quoted(self) -> sql.Identifier:
        """The table, for a statement composed with ``psycopg.sql``."""
        return sql.Identifier(self.schema, self.table)


async def vector_columns(database: Database) -> tuple[VectorColumn, ...]:
    """Return every vector column, by schema, table and column; none where the extension is missing.

    Raises:
        DatabaseError: the question could not be answered.
    """
    return tuple(_vector_column(row) for row in await database.fetch(_statement("catalog.sql")))


def parts_of(column: VectorColumn, columns: Iterable[VectorColumn]) -> list[VectorColumn]:
    """Return the columns that hold the vectors: those of its partitions at any depth, else itself."""
    if not column.partitioned:
        return [column]
    of_table = (one for one in columns if (one.root, one.column) == (column.table_name, column.column))
    return [one for one in of_table if not one.partitioned]


async def tables_like(database: Database, columns: Collection[str]) -> tuple[Table, ...]:
    """Return the tables that have all of these columns, by schema and name.

    Raises:
        DatabaseError: the question could not be answered.
    """
    rows = await database.fetch(_statement("tables.sql"), {"columns": sorted(columns)})
    return tuple(_table(row) for row in rows)


@cache
def _statement(name: str) -> sql.SQL:
    return sql.SQL(files(__package__).joinpath(name).read_text(encoding="utf-8"))


def _vector_column(row: dict[str, Any]) -> VectorColumn:
    indexes = tuple(
        VectorIndex(
            **{
                **index,
                "operator_classes": tuple(index["operator_classes"] or ()),
                "operators": tuple(index["operators"]),
                "options": tuple(index["options"]),
            }
        )
        for index in row["indexes"]
    )
    return VectorColumn(**{**row, "primary_key": tuple(row["primary_key"]), "indexes": indexes})


def _table(row: dict[str, Any]) -> Table:
    keys = tuple(
        ForeignKey(
            key["name"],
            tuple(key["columns"]),
            key["target_schema"],
            key["target_table"],
            tuple(key["target_columns"]),
        )
        for key in row["foreign_keys"]
    )
    return Table(
        schema=row["schema"],
        table=row["table"],
        columns=dict(zip(row["columns"], row["types"], strict=True)),
        primary_key=tuple(row["primary_key"]),
        foreign_keys=keys,
        can_select=row["can_select"],
    )
