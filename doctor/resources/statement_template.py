"""Statements with parameters, whose percent signs psycopg reads as places for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor.late import sql

if TYPE_CHECKING:
    from psycopg.abc import QueryNoTemplate as Query


def template(statement: Query) -> Query:
    """Double the percent signs in names and literals of a statement that is executed with parameters.

    Those in its text stand for the parameters, and stay. A table may be called ``50% notes``.
    """
    return _composed(statement) if isinstance(statement, sql.Composed) else statement


def rendered(statement: sql.Composed) -> sql.SQL:
    """Return the template as one text, for a statement that is executed often: to compose it anew takes time."""
    return sql.SQL(_composed(statement).as_string(None))


def _composed(statement: sql.Composed) -> sql.Composed:
    return sql.Composed([_part(part) for part in statement])


def _part(part: sql.Composable) -> sql.Composable:
    if isinstance(part, sql.Composed):
        return _composed(part)
    if isinstance(part, sql.SQL | sql.Placeholder):
        return part
    return sql.SQL(part.as_string(None).replace("%", "%%"))
