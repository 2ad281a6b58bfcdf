"""Which text a function has embedded is read where it stands, and not guessed where it cannot be told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import indent

import pytest

from doctor.embedding_texts import SourceText
from doctor.source.index import Source
from doctor.source_texts import source_texts

SQL = """
import ollama
from psycopg import sql

SELECT = "SELECT id, headline, body AS text FROM articles WHERE embedding IS NULL"
WRITE = sql.SQL("UPDATE articles SET embedding = %s WHERE id = %s")


def fill(connection, client, model):
{body}
    connection.execute(WRITE, [])
"""

MAPPED = """
from pgvector.sqlalchemy import Vector
from sqlalchemy.orm import mapped_column


class Article(Base):
    __tablename__ = "articles"
    id = mapped_column(primary_key=True)
    subject = mapped_column("headline", Text)
    body = mapped_column(Text)
    embedding = mapped_column(Vector(8))
"""

READ = {
    "an f-string of a row": (
        """
        for row in connection.execute(SELECT):
            client.embed(model="m", input=f"{row['headline']}\\n\\n{row['text']}")
        """,
        ((True, "headline"), (False, "\n\n"), (True, "body")),
    ),
    "a list of texts, made before": (
        """
        rows = connection.execute(SELECT).fetchall()
        texts = [row.headline + ": " + (row.body or "") for row in rows]
        vectors = model.encode(texts)
        """,
        ((True, "headline"), (False, ": "), (True, "body")),
    ),
    "texts that are appended": (
        """
        texts = []
        for row in connection.execute(SELECT):
            texts.append("\\n".join([row["headline"].strip(), row.get("body")]))
        vectors = client.embeddings.create(model="m", input=texts)
        """,
        ((True, "headline"), (False, "\n"), (True, "body")),
    ),
    "a loop over tuples": (
        """
        for id, headline, body in connection.execute(SELECT):
            vector = embed_text(headline)
        """,
        ((True, "headline"),),
    ),
    "SQL that joins columns": (
        """
        query = "SELECT headline || E'\\\\n\\\\n' || coalesce(body, '') AS whole FROM public.articles"
        for row in connection.execute(query):
            embed_text(row["whole"])
        """,
        ((True, "headline"), (False, "\n\n"), (True, "body")),
    ),
}

LOOP = "    for row in connection.execute(SELECT):\n        "

UNREADABLE = {
    "a function of the application": LOOP + "embed_text(cleaned(row['body']))",
    "a part of a text": LOOP + "embed_text(row['body'][:100])",
    "a format of its own": LOOP + "embed_text(f\"{row['body']:>80}\")",
    "a choice of two": "    text = a.body\n    if b:\n        text = a.headline\n    embed_text(text)",
    "a text without a column": "    embed_text('a question')",
    "something that is encoded, but by no model": LOOP + "row['body'].encode()",
}


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., list[SourceText]]:
    def found(**files: str) -> list[SourceText]:
        for name, text in files.items():
            (tmp_path / f"{name}.py").write_text(text)
        return list(source_texts(Source.read(tmp_path)))

    return found


@pytest.mark.parametrize(("body", "template"), READ.values(), ids=READ)
def test_what_is_handed_to_the_model_is_followed_to_the_columns(read, body, template):
    (text,) = read(job=SQL.format(body=indent("\n".join(line[8:] for line in body.splitlines()), "    ")))
    assert text.template == template
    assert text.tables >= {"articles"}
    assert text.vectors == {"embedding"}
    assert text.place.startswith("job.py:")


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_told_is_left_out(read, body):
    assert read(job=SQL.format(body=body)) == []


def test_a_mapped_class_has_its_table_and_its_columns_own_names(read):
    use = """
from models import Article


async def embed_article(session, client, article: Article):
    article.embedding = await client.embed(f"{article.subject} {article.body}")
"""
    (text,) = read(models=MAPPED, job=use)
    assert text == SourceText(
        "job.py:6",
        ((True, "headline"), (False, " "), (True, "body")),
        frozenset({"articles"}),
        frozenset({"embedding"}),
    )
