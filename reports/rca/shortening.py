"""Keeps a report of very much readable: of ten thousand of a kind nobody reads all."""

from __future__ import annotations

from dataclasses import replace

from doctor.reports.rca.document import Block, Fold, Graph, Item, Items, Paragraph, Section, Subsection, Table

SHOWN = 200
"""Lines, rows, parts or boxes of one kind that a report shows at most."""

MORE = "There are more of these: `doctor report --format json` has them all."


def shortened(section: Section) -> Section:
    """Return a section of which nothing is so long that nobody reads it; where something is left out it says so."""
    return replace(section, blocks=_few(section.blocks, Paragraph(MORE)))


def _few(blocks: tuple[Block, ...], rest: Block) -> tuple[Block, ...]:
    short = tuple(map(_short, blocks[:SHOWN]))
    return (*short, rest) if len(blocks) > SHOWN else short


def _short(block: Block) -> Block:
    match block:
        case Items(items=items):
            few = tuple(replace(item, blocks=tuple(map(_short, item.blocks))) for item in items[:SHOWN])
            return replace(block, items=(*few, Item(MORE)) if len(items) > SHOWN else few)
        case Table(head=head, rows=rows) if len(rows) > SHOWN:
            return replace(block, rows=(*rows[:SHOWN], (MORE, *[""] * (len(head) - 1))))
        case Fold(blocks=blocks) | Subsection(blocks=blocks):
            return replace(block, blocks=_few(blocks, Paragraph(MORE)))
        case Graph(nodes=nodes, edges=edges) if len(nodes) > SHOWN:
            kept = {node.id for node in nodes[:SHOWN]}
            drawn = tuple(edge for edge in edges if edge.source in kept and edge.target in kept)
            return Graph(nodes[:SHOWN], drawn)
    return block
