"""Similarity queries that are built from calls are read as the SQL that they become."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doctor.similarity_queries import SimilarityQueries
from doctor.source.collector import Module
from doctor.source.collectors.orm_queries import COLLECTOR
from doctor.source.index import Source
from doctor.source.similarity_sql import SimilarityQuery

ALCHEMY = """
from pgvector.sqlalchemy import Vector
from sqlalchemy import and_, desc, func, select, text
from sqlalchemy.orm import mapped_column


class Item(Base):
    __tablename__ = "items"
    id = mapped_column(Integer)
    vec: Mapped[list[float]] = mapped_column("embedding", Vector(3))


async def search(session, v, topic, n):
"""
DJANGO = {
    "shop/models.py": (
        "from django.db import models\nfrom pgvector.django import VectorField\n\n\n"
        "class Item(models.Model):\n"
        "    owner = models.ForeignKey(User, models.CASCADE)\n"
        "    embedding = VectorField(dimensions=3)\n"
    ),
    "shop/search.py": (
        "from pgvector.django import CosineDistance, L2Distance, MaxInnerProduct\n"
        "from django.db.models import F\nfrom .models import Item\n\n\ndef search(v, u, n):\n"
    ),
}
BUILT = {
    "select(Item).order_by(Item.vec.cosine_distance(v)).limit(5)": (
        'SELECT * FROM "items" ORDER BY ("embedding" <=> %s) LIMIT 5'
    ),
    "await session.scalars(select(Item.id).where(Item.topic == topic, Item.vec.is_not(None))"
    ".order_by(Item.vec.l2_distance(v)).limit(n))": (
        'SELECT * FROM "items" WHERE "topic" = %s AND "embedding" IS NOT NULL ORDER BY ("embedding" <-> %s) LIMIT %s'
    ),
    "session.query(Item).filter(Item.vec.max_inner_product(v) < -0.5).offset(20).all()": (
        'SELECT * FROM "items" WHERE ("embedding" <#> %s) < -(0.5) OFFSET 20'
    ),
    "select(Item, func.cosine_distance(Item.vec, v).label('d')).order_by(text('d')).limit(5)": (
        'SELECT * FROM "items" ORDER BY cosine_distance("embedding", %s) LIMIT 5'
    ),
    "session.query(Item).filter_by(kind='note').order_by(Item.vec.op('<->')(v).desc()).first()": (
        'SELECT * FROM "items" WHERE "kind" = \'note\' ORDER BY ("embedding" <-> %s) DESC LIMIT 1'
    ),
    "select(Item).where((Item.kind == 'note') & Item.topic.in_(topic)).order_by(Item.vec.l1_distance(v), Item.id)": (
        'SELECT * FROM "items" WHERE ("kind" = \'note\' AND "topic" = ANY (%s)) ORDER BY ("embedding" <+> %s), "id"'
    ),
    "select(Item).join(Other).order_by(Item.vec.cosine_distance(v)).limit(5)": (
        'SELECT * FROM "items" WHERE {} ORDER BY ("embedding" <=> %s) LIMIT 5'
    ),
}
QUERYSETS = {
    "Item.objects.order_by(L2Distance('embedding', v))[:5]": (
        'SELECT * FROM "shop_item" ORDER BY ("embedding" <-> %s) LIMIT 5'
    ),
    "Item.objects.annotate(d=CosineDistance('embedding', v)).filter(d__lt=0.5, owner=u).order_by('d')[10:30]": (
        'SELECT * FROM "shop_item" WHERE ("embedding" <=> %s) < 0.5 AND "owner_id" = %s'
        ' ORDER BY ("embedding" <=> %s) LIMIT 20 OFFSET 10'
    ),
    "Item.objects.order_by('id').alias(d=MaxInnerProduct('embedding', v)).order_by(F('d').asc()).first()": (
        'SELECT * FROM "shop_item" ORDER BY ("embedding" <#> %s) LIMIT 1'
    ),
    "Item.objects.filter(owner__name='a').order_by(L2Distance('embedding', v))[:n]": (
        'SELECT * FROM "shop_item" WHERE {} ORDER BY ("embedding" <-> %s) LIMIT %s'
    ),
}


def read(root: Path, **files: str) -> SimilarityQueries:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return SimilarityQueries.of(Source.read(root))


def only(queries: SimilarityQueries) -> SimilarityQuery:
    (query,) = queries.queries
    return query


@pytest.mark.parametrize(("call", "statement"), BUILT.items())
def test_a_query_of_sqlalchemy_is_read_as_sql(tmp_path, call, statement):
    query = only(read(tmp_path, **{"search.py": f"{ALCHEMY}    return {call}\n"}))
    assert query.statement == statement
    assert (query.function, query.line) == ("search", 14)


@pytest.mark.parametrize(("call", "statement"), QUERYSETS.items())
def test_a_query_of_django_is_read_as_sql(tmp_path, call, statement):
    files = {**DJANGO, "shop/search.py": f"{DJANGO['shop/search.py']}    return {call}\n"}
    assert only(read(tmp_path, **files)).statement == statement


def test_a_query_that_grows_over_statements_is_read_once_with_all_of_it(tmp_path):
    body = """
    similarity = (1 - Item.vec.cosine_distance(v)).label("similarity")
    statement = select(Item, similarity)
    if topic:
        statement = statement.where(similarity >= 0.7)
    statement = statement.order_by(desc("similarity")).limit(5)
    return (await session.execute(statement)).all()
"""
    query = only(read(tmp_path, **{"search.py": ALCHEMY + body}))
    assert query.lets_nan_pass
    assert query.order == '(1 - ("embedding" <=> %s)) DESC'


@pytest.mark.parametrize(
    ("declared", "table"),
    [
        (
            'class Item(SQLModel, table=True):\n    vec: Any = Field(sa_column=Column("v", Vector(3)))',
            '"item" ORDER BY ("v"',
        ),
        ("class UsedItem(db.Model):\n    vec = db.Column(Vector(3))", '"used_item" ORDER BY ("vec"'),
        (
            'class I(Base):\n  __tablename__ = "i"\n  __table_args__ = (X, {"schema": "s"})\n  vec = Column(Vector(3))',
            '"s"."i" ORDER BY ("vec"',
        ),
    ],
)
def test_table_and_column_are_those_of_the_model_wherever_it_is_declared(tmp_path, declared, table):
    name = declared[6:].partition("(")[0]
    search = f"from app.models import {name}\n\nq = select({name}).order_by({name}.vec.l2_distance(v)).limit(5)\n"
    query = only(read(tmp_path, **{"app/models/rows.py": f"{declared}\n", "app/search.py": search}))
    assert query.statement.startswith(f"SELECT * FROM {table}")


def test_a_distance_that_has_a_name_before_its_model_is_known_is_that_models(tmp_path):
    body = "    d = L2Distance('embedding', v)\n    return Item.objects.filter(embedding=None).order_by(d)[:5]\n"
    files = {**DJANGO, "shop/search.py": DJANGO["shop/search.py"] + body}
    expected = 'SELECT * FROM "shop_item" WHERE "embedding" IS NULL ORDER BY ("embedding" <-> %s) LIMIT 5'
    assert only(read(tmp_path, **files)).statement == expected


def test_a_query_whose_table_is_out_of_sight_is_counted_and_not_judged(tmp_path):
    text = "from elsewhere import Item\n\nq = select(Item).order_by(Item.vec.l2_distance(v)).limit(5)\n"
    found = read(tmp_path, **{"search.py": text})
    assert (found.queries, found.unresolved) == ((), ("search.py:3",))


@pytest.mark.parametrize(
    "text",
    [
        "a.cosine_distance(b)",
        "select(Item).where(Item.id == 5)",
        "def cosine_distance(a, b): ...",
        "Item.vec.l2_distance(v)",
    ],
)
def test_what_asks_no_table_is_no_query(tmp_path, text):
    assert read(tmp_path, **{"search.py": f"{ALCHEMY}    pass\n\n\n{text}  # cosine_distance\n"}).queries == ()


def test_long_chains_take_no_time_to_speak_of(tmp_path):
    chain = "select(Item)" + ".where(Item.a.b.c.d == x.y.z.w + 1)" * 60 + ".order_by(Item.vec.l2_distance(v))"
    assert only(read(tmp_path, **{"search.py": f"{ALCHEMY}    return {chain}\n"})).function == "search"


PARTS = st.sampled_from(
    [
        "select(Item)",
        ".where(",
        ".order_by(",
        "Item.vec",
        ".cosine_distance(v)",
        ")",
        ".limit(5)",
        "[:5]",
        " - 1",
        "~",
        "*x",
    ]
)


@given(st.lists(PARTS, max_size=12).map("".join))
def test_whatever_parses_is_read_without_an_error(text):
    try:
        tree = ast.parse(f"{ALCHEMY}    return {text}\n")
    except SyntaxError:
        return
    for query in COLLECTOR.collect(Module("search.py", "search", tree, [])):
        assert query.statement.startswith("SELECT * FROM ⟨search.Item⟩")
