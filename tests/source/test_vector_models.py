"""Classes that stand for tables with vectors say how long these are."""

from __future__ import annotations

import pytest

from doctor.source.collectors.vector_models import COLLECTOR
from tests.source.conftest import Project

ALCHEMY = """
    from pgvector.sqlalchemy import HALFVEC, Vector

    SIZE = 1536
    FLAG = True


    class Note(Base):
        __tablename__ = "notes"
        {}
"""
DJANGO = """
    from django.db import models
    from pgvector.django import VectorField


    class Note(models.Model):
        embedding = VectorField(dimensions=384)
"""


@pytest.mark.parametrize(
    ("declared", "dimensions"),
    [
        ("embedding = mapped_column(Vector(768))", {"embedding": 768}),
        ('vec = mapped_column("embedding", Vector(SIZE))', {"embedding": 1536}),
        ("vec = Field(sa_column=Column(HALFVEC(dim=SIZE)))", {"vec": 1536}),
        ("a, b = 1, 2; vec = mapped_column(Vector()); more = mapped_column(Vector(OTHER))", {}),
        ("vec = mapped_column(Vector(FLAG))", {}),
    ],
)
def test_the_number_is_read_where_the_module_says_it(
    project: Project, declared: str, dimensions: dict[str, int]
) -> None:
    (model,) = project({"models.py": ALCHEMY.format(declared)}).collected(COLLECTOR)
    assert dict(model.dimensions) == dimensions


def test_the_field_of_django_says_it_too(project: Project) -> None:
    (model,) = project({"shop/models.py": DJANGO}).collected(COLLECTOR)
    assert dict(model.dimensions) == {"embedding": 384}
