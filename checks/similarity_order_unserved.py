"""The nearest rows are taken in an order that no vector index gives, so every search reads the whole table.

## What it finds
SQL in the source with a LIMIT that orders by a similarity (`ORDER BY 1 - (embedding <=> …) DESC`, also through a name:
`… AS similarity … ORDER BY similarity DESC`), or by a distance from the farthest on. The same built with SQLAlchemy,
SQLModel or Django, where the model with its table is in the source too, and in the `[[queries]]` of `doctor.toml`.

## Why it hurts
HNSW and IVFFlat give rows by the bare distance, the smallest first. The same rows in the same order, asked for as a
similarity that falls, are sorted by hand: 7 to 17 ms in place of 0.3 ms at 20,000 rows, and growing with the table.

## How it is told from its look-alikes
Whoever takes the nearest by distance and then orders those few by similarity is right; so is a query without LIMIT.
An order by time or name has nothing to do with vectors. `<->` is also an operator of PostGIS and pg_trgm: it counts
only where the query speaks of vectors.

## How to fix
`ORDER BY embedding <=> … LIMIT …`; the similarity may still be selected.

## False positives
A table below the number of rows from which the planner uses an index at all (about 2,000 to 5,000).
"""

from collections.abc import Iterator

from doctor.api import (
    Example,
    Finding,
    FixOption,
    Role,
    Severity,
    SimilarityQueries,
    SimilarityQuery,
    check,
    evidence_of,
    resource_of,
)

_SEARCH = '''\
SEARCH = """
    SELECT id, content, 1 - (embedding <=> %(vector)s) AS similarity
    FROM messages
    ORDER BY {order}
    LIMIT 10
"""
'''
_BUILT = """\
from pgvector.sqlalchemy import Vector
from sqlalchemy import Text, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Message(Base):
    __tablename__ = "messages"
    id: Mapped[int] = mapped_column(primary_key=True)
    content: Mapped[str] = mapped_column(Text)
    embedding: Mapped[list[float]] = mapped_column(Vector(768))


def nearest(vector):
    distance = Message.embedding.cosine_distance(vector)
    return select(Message).order_by({order}).limit(10)
"""
_RERANKED = '''\
SEARCH = """
    WITH nearest AS (
        SELECT id, 1 - (embedding <=> %s) AS similarity FROM messages ORDER BY embedding <=> %s LIMIT 50
    )
    SELECT * FROM nearest ORDER BY similarity DESC LIMIT 10
"""
'''


def _search(order: str) -> dict[str, str]:
    return {"app/search.py": _SEARCH.replace("{order}", order)}


@check(
    "VEC007",
    "similarity-order-unserved",
    severity=Severity.WARNING,
    tags=["static"],
    bad=[
        Example("by the name of the similarity", _search("similarity DESC")),
        Example("by the similarity itself", _search("1 - (embedding <=> %(vector)s) DESC")),
        Example("by the distance, the wrong way round", _search("embedding <=> %(vector)s DESC")),
        Example("built with SQLAlchemy", {"app/search.py": _BUILT.replace("{order}", "(1 - distance).desc()")}),
    ],
    good=[
        Example("by the distance", _search("embedding <=> %(vector)s")),
        Example("by something else", _search("created_at DESC")),
        Example("the nearest are ordered again", {"app/search.py": _RERANKED}),
        Example("built with SQLAlchemy", {"app/search.py": _BUILT.replace("{order}", "distance")}),
    ],
)
def similarity_order_unserved(queries: SimilarityQueries) -> Iterator[Finding]:
    """Take over what is known of each query."""
    for query in queries.queries:
        if query.order:
            yield _finding(query)


def _finding(query: SimilarityQuery) -> Finding:
    return Finding(
        code="VEC007",
        resource=resource_of(query),
        symptom=f"no vector index can serve `ORDER BY {query.order}` in the query at {query.place}",
        cause="it orders by a similarity, and indexes give rows by distance",
        severity=Severity.WARNING,
        role=Role.ADVICE,
        impacts=("each search reads every row, whatever indexes there are",),
        evidence=(evidence_of(query),),
        rule="pgvector: an index serves ORDER BY distance LIMIT, ascending, and nothing else",
        fixes=(
            FixOption.by_hand(
                f"order by the bare distance, ascending, in {query.place}",
                "only you know what else the text is made of",
            ),
        ),
        validation="doctor check --select VEC007",
    )
