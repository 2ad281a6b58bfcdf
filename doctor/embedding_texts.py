"""From which columns the text of an embedding is made: configured, read in the source, or guessed from their names.

Errors:
    UnknownTextError: the configuration names a column that the table does not have.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from doctor.late import sql

Template: TypeAlias = tuple[tuple[bool, str], ...]
"""Parts in their order: (is a column, its name or the literal text)."""

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


BLANK_LINE = "\n\n"
_WORDS = {BLANK_LINE: "blank line", "\n": "new line", " ": "space"}


@dataclass(frozen=True, slots=True)
class EmbeddingText:
    """How the embedded text is made: a SQL expression over the row, and its parts for people.

    ``origin`` is who says so: ``doctor.toml``, a place of the source as ``path:line``, or ``the names``.
    """

    expression: sql.Composable
    template: Template
    origin: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are read, in their order."""
        return tuple(text for is_column, text in self.template if is_column)

    @property
    def is_blank(self) -> sql.Composable:
        """The condition under which there is nothing to embed: no character but white space."""
        return sql.SQL("({} !~ {})").format(self.expression, sql.Literal("\\S"))

    def __str__(self) -> str:
        parts = [text if is_column else _WORDS.get(text, repr(text)) for is_column, text in self.template]
        said = {"doctor.toml": "as doctor.toml says", "the names": "guessed from the names"}
        return f"{', '.join(parts)} ({said.get(self.origin, f'as {self.origin} makes it')})"


@dataclass(frozen=True, slots=True)
class SourceText:
    """A text that the source has embedded: of which tables' rows, into which of their columns (none: any)."""

    place: str
    template: Template
    tables: frozenset[str]
    vectors: frozenset[str]

    def is_for(self, column: Column, types: Mapping[str, str]) -> bool:
        """Whether the rows of this column's table may be meant, which have columns of these ``types``."""
        return (
            bool(self.tables & {column.table_name, column.table})
            and (column.column in self.vectors or not self.vectors & set(types))
            and all(text in types and text != column.column for is_column, text in self.template if is_column)
            and any(is_column and _is_text(types[text]) for is_column, text in self.template)
        )


@dataclass(frozen=True, slots=True)
class EmbeddingTexts:
    """What the configuration says: (table, column of the vectors) → columns of the text; and what the source does.

    The table may lack its schema.
    """

    configured: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    embedded: Sequence[SourceText] = ()

    def of(self, column: Column, types: Mapping[str, str]) -> EmbeddingText | None:
        """Return the text of a vector column whose table has columns of these ``types``; None where nothing is known.

        Places of the source that contradict each other say nothing.

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
                return _made(_with_blank_lines(parts), types, "doctor.toml")
        found = {text.template: text for text in reversed(self.embedded) if text.is_for(column, types)}
        if len(found) == 1:
            ((template, text),) = found.items()
            return _made(template, types, text.place)
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
    return _made(_with_blank_lines(("title", content) if "title" in types else (content,)), types, "the names")


def _is_text(kind: str) -> bool:
    return kind.startswith(("text", "character"))


def _with_blank_lines(columns: Sequence[str]) -> Template:
    return tuple(part for column in columns for part in ((False, BLANK_LINE), (True, column)))[1:]


def _made(template: Template, types: Mapping[str, str], origin: str) -> EmbeddingText:
    """Put the parts together; NULL is an empty part."""
    parts = [_column(text, types[text]) if is_column else _literal(text) for is_column, text in template]
    whole = parts[0] if len(parts) == 1 else sql.SQL("({})").format(sql.SQL(" || ").join(parts))
    return EmbeddingText(whole, template, origin)


def _column(name: str, kind: str) -> sql.Composable:
    text = sql.SQL("{}" if _is_text(kind) else "{}::text").format(sql.Identifier(name))
    return sql.SQL("coalesce({}, '')").format(text)


def _literal(text: str) -> sql.Composable:
    return sql.SQL(r"E'\n\n'") if text == BLANK_LINE else sql.Literal(text)
