"""The text of an index: its statement, its name, and the migration that makes the same."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256

from doctor.fix import RefusedError
from doctor.index_parameters import Hnsw
from doctor.late import sql
from doctor.query_plans import OPERATOR_CLASSES
from doctor.resources.catalog import VectorColumn, VectorIndex, readable

MAX_NAME = 63
"""Bytes of a PostgreSQL identifier."""

_CREATE = re.compile(r"CREATE (UNIQUE )?INDEX ")


def operator_class(kind: str, operator: str) -> str:
    """Return the class of pgvector for vectors of this type and a distance, such as ``vector_cosine_ops``."""
    return f"{kind}_{OPERATOR_CLASSES[operator]}_ops"


def index_name(column: VectorColumn, operator: str) -> str:
    """Return a name of at most 63 bytes; one that has to be cut ends in a hash, so that it meets no other."""
    whole = f"{column.table}_{column.column}_hnsw_{OPERATOR_CLASSES[operator]}"
    if len(whole.encode()) <= MAX_NAME:
        return whole
    digest = sha256(whole.encode()).hexdigest()[:8]
    return f"{whole.encode()[: MAX_NAME - 9].decode('utf-8', 'ignore')}_{digest}"


def new_statement(column: VectorColumn, operator: str, parameters: Hnsw) -> str:
    """Return the statement that builds an HNSW index on a column for a distance."""
    statement = (
        "CREATE INDEX CONCURRENTLY {name} ON {table} USING hnsw ({column} {ops}) WITH (m = {m}, ef_construction = {ef})"
    )
    return (
        sql.SQL(statement)
        .format(
            name=sql.Identifier(index_name(column, operator)),
            table=column.quoted_table,
            column=sql.Identifier(column.column),
            ops=sql.SQL(operator_class(column.type, operator)),
            m=sql.Literal(parameters.m),
            ef=sql.Literal(parameters.ef_construction),
        )
        .as_string(None)
    )


def own_statement(index: VectorIndex) -> str:
    """Return the statement that builds an index as it is: its name, method, classes, options and condition.

    Raises:
        RefusedError: its definition is not known while somebody locks the table.
    """
    if not index.definition:
        raise RefusedError(f"the table of {index.full_name} is locked just now; try again")
    return _CREATE.sub(lambda match: f"CREATE {match[1] or ''}INDEX CONCURRENTLY ", index.definition, count=1)


def drop_statement(index: VectorIndex) -> str:
    """Return the statement that drops an index: concurrently, except one of a partitioned table, of which PostgreSQL
    refuses that. An attached one cannot be dropped by itself at all."""
    return f"DROP INDEX{'' if index.partitioned else ' CONCURRENTLY'} {readable(index.full_name)};"


def new_migration(column: VectorColumn, operator: str, parameters: Hnsw, instead_of: Sequence[VectorIndex] = ()) -> str:
    """Return the lines of an Alembic migration that does the same: the index is built, and others are dropped."""
    with_ = {"m": parameters.m, "ef_construction": parameters.ef_construction}
    create = (
        f"op.create_index({index_name(column, operator)!r}, {column.table!r}, [{column.column!r}], "
        f"schema={column.schema!r}, postgresql_using='hnsw', postgresql_with={with_!r}, "
        f"postgresql_ops={{{column.column!r}: {operator_class(column.type, operator)!r}}}, "
        "postgresql_concurrently=True, if_not_exists=True)"
    )
    drops = (
        f"op.drop_index({index.name!r}, {column.table!r}, schema={index.schema!r}, "
        "postgresql_concurrently=True, if_exists=True)"
        for index in instead_of
    )
    return "\n".join(("with op.get_context().autocommit_block():", *(f"    {line}" for line in (create, *drops))))
