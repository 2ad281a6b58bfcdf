"""From which columns the text of an embedding is made: configured, or guessed from their names.

Errors:
    UnknownTextError: the configuration names a column that the table does not have.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from doctor.late import sql

TEXT_COLUMNS = ("content", "text", "body", "chunk", "document", "message", "description")
"""Names under which tables keep the text that is embedded, likeliest first."""


class UnknownTextError(Exception):
    """``[[embeddings]]`` of the configuration does not fit the table."""


class Column(Protocol):
    """A column of vectors, such as :class:`doctor.resources.catalog.VectorColumn`."""

    @property
    def table(self) -> str:
        """The name of its table."""

    @property
    def table_name(self) -> str:
        """``schema.table``."""

    @property
    def column(self) -> str:
        """Its own name."""


@dataclass(frozen=True, slots=True)
class EmbeddingText:
    """How the embedded text is made: a SQL expression over the row, and its parts for people.

    ``configured`` is false where the parts are guessed.
    """

    expression: sql.Composable
    columns: tuple[str, ...]
    configured: bool = False

    @property
    def is_blank(self) -> sql.Composable:
        """The condition under which there is nothing to embed: no character but white space."""
        return sql.SQL("({} !~ {})").format(self.expression, sql.Literal("\\S"))


@dataclass(frozen=True, slots=True)
class EmbeddingTexts:
    """What the configuration says: (table, column of the vectors) → columns of the text.

    The table may lack its schema.
    """

    configured: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    def of(self, column: Column, types: Mapping[str, str]) -> EmbeddingText | None:
        """Return the text of a vector column whose table has columns of these ``types``; None where nothing is known.

        Raises:
            UnknownTextError: a configured column is not in the table.
        """
        for table in (column.table_name, column.table):
            if parts := self.configured.get((table, column.column)):
                if missing := [part for part in parts if part not in types]:
                    raise UnknownTextError(
                        f"[[embeddings]] in doctor.toml takes the text of {table}.{column.column} from `{missing[0]}`, "
                        f"which the table does not have; it has {', '.join(sorted(types))}"
                    )
                return EmbeddingText(_joined([_text(part, types[part]) for part in parts]), parts, configured=True)
        return embedding_text(types)

    def strangers(self, columns: Iterable[Column]) -> tuple[str, ...]:
        """Return what is configured and is none of these vector columns, as ``table.column``."""
        known = {(table, each.column) for each in columns for table in (each.table_name, each.table)}
        return tuple(f"{table}.{column}" for table, column in self.configured if (table, column) not in known)


def embedding_text(types: Mapping[str, str]) -> EmbeddingText | None:
    """Guess the embedded text from a table's columns: the content, with a title and a blank line before it where
    there is one."""
    content = next((name for name in TEXT_COLUMNS if _is_text(types.get(name, ""))), None)
    if content is None:
        return None
    parts = ("title", content) if "title" in types else (content,)
    return EmbeddingText(_joined([sql.Identifier(part) for part in parts]), parts)


def _is_text(kind: str) -> bool:
    return kind.startswith(("text", "character"))


def _text(name: str, kind: str) -> sql.Composable:
    return sql.Identifier(name) if _is_text(kind) else sql.SQL("{}::text").format(sql.Identifier(name))


def _joined(parts: list[sql.Composable]) -> sql.Composable:
    """Return the parts with a blank line between; NULL is an empty part."""
    whole = [sql.SQL("coalesce({}, '')").format(part) for part in parts]
    return whole[0] if len(whole) == 1 else sql.SQL("({})").format(sql.SQL(" || E'\\n\\n' || ").join(whole))
