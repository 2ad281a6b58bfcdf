"""The root-cause report in Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from doctor.api import Presentation, Report, Run

if TYPE_CHECKING:
    from doctor.reports.rca.document import Block, Cell, Document, Graph, Items, Node, Table

_SPECIAL = re.compile(r"([\\*_\[\]<>|#&~])")
_BLOCK_START = re.compile(r"[0-9]{1,9}(?=[.)])|(?=[-+=])")
_LINE_END = re.compile(r"\r\n?")
_UNDRAWABLE = re.compile(r"[^\w .,:;/()%-]")
_NODE_WIDTH = 90
"""Characters of a box of the graph: what is longer stands in full in the text beside it."""

_BOXES = {
    "root": '["{}"]',
    "effect": '["{}"]',
    "amplifier": '(["{}"])',
    "witness": '(["{}"])',
    "left over": '[("{}")]',
}
"""How Mermaid draws each kind of node."""


def render(run: Run, presentation: Presentation) -> str:
    """Return the report, ending in a newline."""
    from doctor.reports.rca.report import report_of  # only who wants a report pays for it

    return page(report_of(run))


def render_difference(before: Run, after: Run, presentation: Presentation) -> str:
    """Return what changed from one run to another, ending in a newline."""
    from doctor.reports.rca.difference import difference_of

    return page(difference_of(before, after))


def page(document: Document) -> str:
    """Return a document in Markdown."""
    return "\n\n".join(_page(document)) + "\n"


def _page(document: Document) -> Iterator[str]:
    yield f"# {escape(document.title)}"
    yield f"**{escape(document.verdict)}**"
    yield _rows(("", ""), tuple(document.properties.items()))
    yield from map(line, document.notes)
    for section in document.sections:
        yield f"## {escape(section.title)}"
        yield from map(_block, section.blocks)


def escape(text: object) -> str:
    """Return text that Markdown shows as it is, on one line: nothing in it can open a table cell, a link or a tag.

    Text between two single backticks stays code; any other backtick becomes an apostrophe.
    """
    from doctor.reports.rca.document import spans

    return "".join(f"`{part}`" if is_code else _SPECIAL.sub(r"\\\1", part) for is_code, part in spans(text))


def line(text: object) -> str:
    """Return escaped text that opens no block where it stands at the start of a line."""
    shown = escape(text)
    start = _BLOCK_START.match(shown)
    return f"{shown[: start.end()]}\\{shown[start.end() :]}" if start else shown


def fenced(text: str, language: str = "") -> str:
    """Return text as a code block whose fence is longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{_LINE_END.sub(chr(10), text).rstrip()}\n{fence}"


def _block(block: Block) -> str:
    writers: dict[str, Callable[..., str]] = {
        "paragraph": lambda one: f"**{escape(one.text)}**" if one.strong else line(one.text),
        "code": lambda one: fenced(one.text, one.language),
        "items": _items,
        "table": _table,
        "fold": lambda one: _joined((f"**{escape(one.title)}**", *map(_block, one.blocks))),
        "subsection": lambda one: _joined((f"### {escape(one.title)}", *map(_block, one.blocks))),
        "graph": lambda one: fenced(mermaid(one), "mermaid"),
    }
    return writers[block.kind](block)


def _joined(parts: Sequence[str]) -> str:
    return "\n\n".join(part for part in parts if part)


def _items(items: Items) -> str:
    written = ""
    for number, item in enumerate(items.items, 1):
        mark = f"{number}. " if items.ordered else "- "
        text = f"{mark}{line(item.text)}"
        for block in item.blocks:
            text += ("\n" if block.kind == "items" else "\n\n") + _indented(_block(block), len(mark))
        is_roomy = any(block.kind != "items" for block in item.blocks)
        written += text + ("\n\n" if is_roomy else "\n")
    return written.rstrip("\n")


def _indented(text: str, columns: int) -> str:
    return "\n".join(f"{' ' * columns}{each}" if each else "" for each in text.split("\n"))


def _table(table: Table) -> str:
    return _rows(table.head, table.rows, table.numeric)


def _rows(head: Sequence[str], rows: Sequence[Sequence[Cell]], numeric: frozenset[int] = frozenset()) -> str:
    lines = [
        f"| {' | '.join(map(escape, head))} |" if any(head) else "|" + " |" * len(head),
        f"|{'|'.join('---:' if column in numeric else '---' for column in range(len(head)))}|",
        *(f"| {' | '.join(map(_cell, row))} |" for row in rows),
    ]
    return "\n".join(lines)


def _cell(cell: Cell) -> str:
    if isinstance(cell, str):
        return escape(cell)
    return f"**{escape(cell.text)}**" if cell.tone == "bad" and cell.text else escape(cell.text)


def mermaid(graph: Graph) -> str:
    """Return a graph for Mermaid; only letters, digits and harmless marks reach it."""
    lines = ["flowchart TD", *(f"    {node.id}{_box(node)}" for node in graph.nodes)]
    for edge in graph.edges:
        arrow = f"-. {edge.label} .->" if edge.dashed else "-->"
        lines.append(f"    {edge.source} {arrow} {edge.target}")
    return "\n".join(lines)


def _box(node: Node) -> str:
    words = node.title if node.kind in ("root", "amplifier") else f"{node.title} {node.text}"
    return _BOXES[node.kind].format(_UNDRAWABLE.sub("", words)[:_NODE_WIDTH])


REPORT = Report(
    name="markdown",
    title="the root-cause report",
    machine=False,
    render=render,
    render_difference=render_difference,
)
