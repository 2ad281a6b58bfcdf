"""Whether the planner uses an index: a search that is made for it is explained, and never run."""

from __future__ import annotations

from doctor.fix import FixError
from doctor.late import sql
from doctor.query_plans import FORCED
from doctor.resources.catalog import identifier, parts
from doctor.resources.database import Database

_SEARCHED = """
    SELECT pg_get_indexdef(i.indexrelid, 1, true) AS key, pg_get_expr(i.indpred, i.indrelid, true) AS predicate,
        o.oprname AS operator, n.nspname AS schema
    FROM pg_index i
    JOIN pg_class x ON x.oid = i.indexrelid
    JOIN pg_opclass c ON c.oid = i.indclass[0]
    JOIN pg_amop a ON a.amopfamily = c.opcfamily AND a.amopmethod = x.relam AND a.amoppurpose = 'o'
    JOIN pg_operator o ON o.oid = a.amopopr
    JOIN pg_namespace n ON n.oid = o.oprnamespace
    WHERE i.indexrelid = to_regclass(%(name)s) AND i.indisvalid AND i.indisready AND i.indislive
    LIMIT 1
"""
_SEARCH = """
    EXPLAIN (FORMAT JSON) SELECT FROM {table} WHERE {predicate}
    ORDER BY {key} OPERATOR({schema}.{operator}) (SELECT {key} FROM {table} WHERE {predicate} LIMIT 1) LIMIT 10
"""


async def proved(database: Database, table: str, index: str) -> str:
    """Say what the planner makes of a search that is made for the index; both names are ``schema.name``.

    Raises:
        FixError: the index is not there, not usable, or the planner would not use it where it may do nothing else.
        DatabaseError: a question could not be answered.
    """
    searched = await search_parts(database, table, index)
    if searched is None:
        raise FixError(f"{index} is gone or invalid right after it was built")
    search = sql.SQL(_SEARCH).format(**searched)
    name = parts(index)[-1]
    if name in await _indexes_used(database, search):
        return "the planner uses it"
    if name in await _indexes_used(database, search, FORCED):
        return "the planner still reads the whole table, which costs less at this size"
    key, operator = (searched[name].as_string(None) for name in ("key", "operator"))
    raise FixError(f"the planner cannot use {index} for ORDER BY {key} {operator} …")


async def search_parts(database: Database, table: str, index: str) -> dict[str, sql.Composable] | None:
    """Return what a search that is made for the index is composed of: ``table``, ``key``, ``predicate``, ``operator``
    and the operator's ``schema``; None where there is no such index in working order.

    Raises:
        DatabaseError: the question could not be answered.
    """
    row = await database.fetch_one(_SEARCHED, {"name": identifier(index).as_string(None)})
    if row is None:
        return None
    return {
        "table": identifier(table),
        "key": sql.SQL(row["key"]),
        "predicate": sql.SQL(row["predicate"] or "true"),
        "schema": sql.Identifier(row["schema"]),
        "operator": sql.SQL(row["operator"]),
    }


async def _indexes_used(database: Database, search: sql.Composed, without: tuple[str, ...] = ()) -> set[str]:
    (row,) = await database.fetch(search.as_string(None).encode(), switched_off=without)
    (plan,) = row["QUERY PLAN"]
    found, rest = set(), [plan["Plan"]]
    while rest:
        node = rest.pop()
        rest += node.get("Plans", ())
        if "Index Name" in node and "Order By" in node:
            found.add(node["Index Name"])
    return found
