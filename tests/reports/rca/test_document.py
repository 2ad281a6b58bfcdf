"""What a report is made of: its texts, and how much of very much it shows."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from doctor.reports.rca.document import (
    NAMED,
    Edge,
    Fold,
    Graph,
    Item,
    Items,
    Mark,
    Node,
    NodeKind,
    Paragraph,
    Section,
    Subsection,
    Table,
    Tone,
    joined,
    marks,
    prose,
    spans,
    texts,
)
from doctor.reports.rca.shortening import MORE, SHOWN, shortened

MANY = SHOWN + 7


def test_a_line_names_each_text_once_and_says_that_there_are_more():
    assert joined(("a", "b", "a")) == "a; b"
    assert joined(map(str, range(NAMED)), ", ").endswith(f", {NAMED - 1}")
    assert joined(map(str, range(NAMED + 1)), ", ").endswith(f", {NAMED - 1}, …")


def test_what_is_very_long_is_cut_and_says_so():
    items = Items(tuple(Item(str(number)) for number in range(MANY)))
    table = Table(("a", "b"), tuple((str(number), "x") for number in range(MANY)))
    parts = tuple(Subsection(str(number), (items,)) for number in range(MANY))
    short = shortened(Section("all", (items, table, Fold("folded", (items,)))))
    assert [len(block.items) for block in short.blocks if isinstance(block, Items)] == [SHOWN + 1]
    assert short.blocks[0].items[-1].text == MORE
    assert len(short.blocks[1].rows) == SHOWN + 1
    assert short.blocks[1].rows[-1] == (MORE, "")
    assert short.blocks[2].blocks[0].items[-1].text == MORE
    many = shortened(Section("all", parts)).blocks
    assert len(many) == SHOWN + 1
    assert many[-1] == Paragraph(MORE)
    assert many[0].blocks[0].items[-1].text == MORE


def test_what_is_short_stays_as_it_is():
    section = Section("a", (Items.of("one", "two"), Table(("a",), (("x",),))))
    assert shortened(section) == section


def test_a_graph_that_is_cut_has_no_arrow_to_what_is_left_out():
    nodes = tuple(Node(f"R{number}", NodeKind.ROOT, str(number)) for number in range(MANY))
    edges = tuple(Edge(f"R{number}", f"R{number + 1}") for number in range(MANY - 1))
    (graph,) = shortened(Section("graph", (Graph(nodes, edges),))).blocks
    known = {node.id for node in graph.nodes}
    assert len(known) == SHOWN
    assert all({edge.source, edge.target} <= known for edge in graph.edges)


def test_texts_and_verdicts_are_found_however_deep_they_stand():
    cell = Mark("yes", Tone.GOOD, "x")
    inner = Items((Item("item", (Table(("head",), ((cell,),)),)),))
    block = Subsection("part", (Fold("fold", (inner,)),))
    assert list(texts(block)) == ["part", "fold", "item", "head", "yes"]
    assert list(marks(block)) == [cell]


@given(st.text(st.sampled_from("`ab |\n"), max_size=20))
def test_the_spans_of_a_text_lose_nothing_but_backticks_and_white_space(text: str):
    shown = "".join(part for _, part in spans(text))
    assert shown == prose(text)
    assert shown.replace("'", "").replace(" ", "") == "".join(text.replace("`", "").split())
