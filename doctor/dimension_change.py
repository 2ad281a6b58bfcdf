"""How a column of vectors gets another number of dimensions while its vectors stay: a second column, and the switch."""

from __future__ import annotations

from dataclasses import replace

from doctor.index_definition import MAX_NAME, new_statement
from doctor.index_parameters import IndexParameters
from doctor.index_planning import not_indexable
from doctor.late import sql
from doctor.resources.catalog import VectorColumn

COSINE = "<=>"
"""The distance for which the new column is indexed where the old one has no index that tells."""

_ADD = """\
BEGIN;
SET LOCAL lock_timeout = '5s';
ALTER TABLE {table} ADD COLUMN {new} {type}({wanted});
COMMIT;"""
_ALL_THERE = """\
DO $doctor$ BEGIN
    IF EXISTS (SELECT FROM {table} WHERE {column} IS NOT NULL AND {new} IS NULL) THEN
        RAISE EXCEPTION 'rows that search finds now have no new vector yet: fill them first';
    END IF;
END $doctor$;"""
_SWITCH = """\
BEGIN;
SET LOCAL lock_timeout = '5s';
ALTER TABLE {table} RENAME COLUMN {column} TO {old};
ALTER TABLE {table} RENAME COLUMN {new} TO {column};"""
_PROMISE = """\
ALTER TABLE {table} ADD CONSTRAINT {promise} CHECK ({new} IS NOT NULL) NOT VALID;
ALTER TABLE {table} VALIDATE CONSTRAINT {promise};"""
"""With it the server need not read the table to set NOT NULL, while everybody waits (PostgreSQL 12)."""
_NOT_NULL = """\
ALTER TABLE {table} ALTER COLUMN {old} DROP NOT NULL;
ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL;
ALTER TABLE {table} DROP CONSTRAINT {promise};"""
_DROP = "-- ALTER TABLE {table} DROP COLUMN {old};"


def second_column(column: VectorColumn, wanted: int) -> str:
    """Return the whole plan as SQL, with what is no SQL as comments; nothing in it destroys a vector.

    No row is written anew, and no lock is held for longer than a moment. The index is built once the column is full.
    """
    new = replace(column, column=_beside(column.column, str(wanted)), dimensions=wanted, indexes=())
    names = {
        "table": column.quoted_table,
        "column": sql.Identifier(column.column),
        "new": sql.Identifier(new.column),
        "old": sql.Identifier(_beside(column.column, str(column.dimensions))),
        "promise": sql.Identifier(_beside(new.column, "is_there")),
        "type": sql.SQL(column.type),
        "wanted": sql.Literal(wanted),
    }
    add, all_there, promise, switch, not_null, drop = (
        sql.SQL(part).format(**names).as_string(None)
        for part in (_ADD, _ALL_THERE, _PROMISE, _SWITCH, _NOT_NULL, _DROP)
    )
    lines = (
        "-- 1. A second column; from here on the application writes both.",
        add,
        "-- 2. `doctor fix EMB001` fills it in batches, with the model that gives so many dimensions.",
        "-- 3. An index, beside live traffic; `doctor fix VEC001` builds the same, and looks first.",
        _index(column, new),
        "-- 4. The switch: the old name means the new vectors. Start the application again with the new model.",
        all_there,
        *([promise] if column.not_null else []),
        switch,
        *([not_null] if column.not_null else []),
        "COMMIT;",
        "-- 5. When nothing reads the old vectors any more; until then EMB001 tells that new rows have none of these.",
        "--    This cannot be taken back:",
        drop,
    )
    return "".join(f"{line}\n" for line in lines)


def _index(column: VectorColumn, new: VectorColumn) -> str:
    """Return the statement, for the distance of the old column's index, or the comment why there is none."""
    operator = next((one.operators[0] for one in column.vector_indexes if one.operators), COSINE)
    if objection := not_indexable(new, operator):
        return f"--    {objection}"
    if column.partitioned:
        return "--    Of a partitioned table none is built concurrently: `doctor fix VEC001` goes from part to part."
    return f"{new_statement(new, operator, IndexParameters().of(column.estimated_rows))};"


def _beside(name: str, what: str) -> str:
    """Return a name with what is told of it, within the bytes of an identifier."""
    return f"{name.encode()[: MAX_NAME - 1 - len(what)].decode('utf-8', 'ignore')}_{what}"
