"""What a report consists of, whatever it is written in: sections of paragraphs, lists, tables, code and one graph.

Text is plain text. What stands between two single backticks is code, and nothing else in it means anything: each
format escapes it as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, TypeAlias

_CODE = re.compile(r"(?<!`)`([^`|]+)`(?!`)")

NAMED = 10
"""Texts that one line names at most."""


class Tone(StrEnum):
    """What a mark says to a reader who only skims."""

    GOOD = "good"
    BAD = "bad"
    OPEN = "open"
    NEUTRAL = "neutral"


@dataclass(frozen=True, slots=True)
class Mark:
    """A verdict in a cell. ``subject`` is the fingerprint or the stage of which it speaks, where it speaks of one."""

    text: str
    tone: Tone
    subject: str = ""


Cell: TypeAlias = "str | Mark"


@dataclass(frozen=True, slots=True)
class Fact:
    """A number that the report itself has worked out. ``source`` says from what; one key has one value everywhere."""

    key: str
    value: int | float
    source: str

    @property
    def shown(self) -> str:
        """The number as it stands in the text."""
        return f"{self.value:,}" if isinstance(self.value, int) else f"{self.value:,.1f}"


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Sentences."""

    kind: ClassVar[str] = "paragraph"
    text: str
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Code:
    """Lines to be read as they are; ``language`` is ``diff``, ``sql``, ``python``, ``sh`` or nothing."""

    kind: ClassVar[str] = "code"
    text: str
    language: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a list, and what belongs to it."""

    text: str
    blocks: tuple[Block, ...] = ()


@dataclass(frozen=True, slots=True)
class Items:
    """A list; numbered where the order matters."""

    kind: ClassVar[str] = "items"
    items: tuple[Item, ...]
    ordered: bool = False

    @classmethod
    def of(cls, *texts: str, ordered: bool = False) -> Items:
        """Return a list of plain lines."""
        return cls(tuple(map(Item, texts)), ordered)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a head; an empty head is that of a table of names and values. ``numeric`` are columns of numbers."""

    kind: ClassVar[str] = "table"
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numeric: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Fold:
    """Details that a reader may open; where a format cannot fold, they stand there."""

    kind: ClassVar[str] = "fold"
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Subsection:
    """A part of a section with a heading of its own; ``name`` is what links lead to."""

    kind: ClassVar[str] = "subsection"
    title: str
    blocks: tuple[Block, ...]
    name: str = ""


class NodeKind(StrEnum):
    """What a node of the causal graph stands for."""

    ROOT = "root"
    EFFECT = "effect"
    AMPLIFIER = "amplifier"
    WITNESS = "witness"
    LEFT_OVER = "left over"


@dataclass(frozen=True, slots=True)
class Node:
    """One box of the graph; ``id`` is made of letters and digits alone."""

    id: str
    kind: NodeKind
    title: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Edge:
    """An arrow; a dashed one where it tells no cause from its effect."""

    source: str
    target: str
    label: str = ""
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Graph:
    """Causes and effects, with an arrow from each to what follows from it."""

    kind: ClassVar[str] = "graph"
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def of_kind(self, *kinds: NodeKind) -> tuple[Node, ...]:
        """Return the nodes of these kinds, in order."""
        return tuple(node for node in self.nodes if node.kind in kinds)

    def to(self, node: Node) -> tuple[Edge, ...]:
        """Return the arrows that end at a node."""
        return tuple(edge for edge in self.edges if edge.target == node.id)

    def out_of(self, node: Node) -> tuple[Edge, ...]:
        """Return the arrows that begin at a node."""
        return tuple(edge for edge in self.edges if edge.source == node.id)

    def node(self, identity: str) -> Node:
        """Return a node by its id.

        Raises:
            KeyError: there is none.
        """
        for node in self.nodes:
            if node.id == identity:
                return node
        raise KeyError(identity)


Block: TypeAlias = "Paragraph | Code | Items | Table | Fold | Subsection | Graph"


@dataclass(frozen=True, slots=True)
class Section:
    """One chapter. ``facts`` are the numbers in it that no check has measured."""

    title: str
    blocks: tuple[Block, ...]
    facts: tuple[Fact, ...] = ()

    @property
    def name(self) -> str:
        """The title as the target of a link: lower-case words with hyphens."""
        return re.sub(r"\W+", "-", self.title.lower()).strip("-")


@dataclass(frozen=True, slots=True)
class Document:
    """A whole report: ``tone`` is that of its verdict, ``properties`` say of what and of when it is."""

    title: str
    verdict: str
    tone: Tone
    properties: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()


def spans(text: object) -> list[tuple[bool, str]]:
    """Return the pieces of a text on one line, each with whether it is code; other backticks become apostrophes."""
    parts = _CODE.split(" ".join(str(text).split()))
    return [
        (bool(index % 2), part if index % 2 else part.replace("`", "'")) for index, part in enumerate(parts) if part
    ]


def prose(text: str) -> str:
    """Return a text in which nothing is code: for headings, titles and the boxes of a graph."""
    return "".join(part for _, part in spans(text))


def joined(parts: Iterable[str], between: str = "; ") -> str:
    """Return the first of these texts in one line, each once; that there are more is said."""
    unique = list(dict.fromkeys(parts))
    return between.join([*unique[:NAMED], *(("…",) if len(unique) > NAMED else ())])


def texts(block: Block) -> Iterator[str]:
    """Yield every text of a block that the report's author has written, code left out: it is quoted."""
    match block:
        case Paragraph(text=text):
            yield text
        case Items(items=items):
            for item in items:
                yield item.text
                for inner in item.blocks:
                    yield from texts(inner)
        case Table(head=head, rows=rows):
            yield from head
            for row in rows:
                yield from (cell.text if isinstance(cell, Mark) else cell for cell in row)
        case Fold(title=title, blocks=blocks) | Subsection(title=title, blocks=blocks):
            yield title
            for inner in blocks:
                yield from texts(inner)
        case Graph(nodes=nodes, edges=edges):
            yield from (f"{node.title} {node.text}" for node in nodes)
            yield from (edge.label for edge in edges)


def marks(block: Block) -> Iterator[Mark]:
    """Yield every verdict in the tables of a block."""
    match block:
        case Table(rows=rows):
            yield from (cell for row in rows for cell in row if isinstance(cell, Mark))
        case Fold(blocks=blocks) | Subsection(blocks=blocks):
            for inner in blocks:
                yield from marks(inner)
        case Items(items=items):
            for item in items:
                for inner in item.blocks:
                    yield from marks(inner)
