"""A similarity is compared with `>=`, so vectors without a length pass every threshold.

## What it finds
SQL in the source that asks for `1 - (embedding <=> …) >= threshold`, also through a name
(`… AS similarity … WHERE similarity > 0.7`). The same built with SQLAlchemy, SQLModel or Django, where the source has
the model with its table, and in the `[[queries]]` of `doctor.toml`.

## Why it hurts
The cosine distance to a zero vector is NaN, and PostgreSQL sorts NaN above every number: `NaN >= 0.7` is true. A row
with a zero vector is in every answer that does not come from an index; a query whose own vector is zero gets every row.

## How it is told from its look-alikes
`embedding <=> … <= 2 * (1 - threshold)` asks for the same rows and is false for NaN, so it is silent. So are euclidean
distance and inner product, which are never NaN, and a similarity that is only selected or ordered by.

## How to fix
Compare the distance instead: `(1 - d) >= t` is `d <= 1 - t`, and `(1 - d / 2) >= t` is `d <= 2 * (1 - t)`.

## False positives
A table that no zero vector can get into, because a constraint or its only writer sees to that.
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
    SELECT id, content, 1 - (embedding <=> %(vector)s) / 2 AS similarity
    FROM messages
    WHERE {condition}
    ORDER BY embedding <=> %(vector)s
    LIMIT 10
"""
'''
_INLINE = _SEARCH.format(condition="1 - (embedding <=> %(vector)s) / 2 >= %(threshold)s")
_BY_DISTANCE = _SEARCH.format(condition="embedding <=> %(vector)s <= 2 * (1 - %(threshold)s)")
_NAMED = '''\
SEARCH = """
    SELECT * FROM (SELECT id, 1 - (embedding <=> %s) AS similarity FROM messages) AS found
    WHERE similarity > 0.7
"""
'''
_BUILT = """\
from django.db import models
from pgvector.django import CosineDistance, VectorField


class Message(models.Model):
    embedding = VectorField(dimensions=768)


def nearest(vector):
    distance = CosineDistance("embedding", vector)
    near = Message.objects.annotate(distance=distance, similarity=1 - distance)
    return near.filter({condition}).order_by("distance")[:10]
"""


@check(
    "VEC006",
    "similarity-threshold-passes-nan",
    severity=Severity.WARNING,
    tags=["static"],
    bad=[
        Example("the similarity is at least the threshold", {"app/search.py": _INLINE}),
        Example("the similarity has a name", {"app/search.py": _NAMED}),
        Example("built with Django", {"app/models.py": _BUILT.format(condition="similarity__gte=0.7")}),
    ],
    good=[
        Example("the distance is at most something", {"app/search.py": _BY_DISTANCE}),
        Example("built with Django", {"app/models.py": _BUILT.format(condition="distance__lte=0.3")}),
    ],
)
def similarity_threshold_passes_nan(queries: SimilarityQueries) -> Iterator[Finding]:
    """Take over what is known of each query."""
    for query in queries.queries:
        if query.lets_nan_pass:
            yield _finding(query)


def _finding(query: SimilarityQuery) -> Finding:
    return Finding(
        code="VEC006",
        resource=resource_of(query),
        symptom=f"the query at {query.place} lets rows with a zero vector pass every threshold",
        cause="it asks for a similarity of at least something, and NaN is that",
        severity=Severity.WARNING,
        role=Role.ADVICE,
        impacts=("search returns rows that have nothing to do with the question",),
        evidence=(evidence_of(query),),
        rule="PostgreSQL: NaN is greater than every number; pgvector: the cosine distance to a zero vector is NaN",
        fixes=(
            FixOption.by_hand(
                f"compare the distance in {query.place}: d <= 1 - t in place of 1 - d >= t",
                "only you know what else the text is made of",
            ),
        ),
        validation="doctor check --select VEC006",
    )
