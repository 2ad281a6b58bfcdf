"""Create the extension and the tables: ``python -m app.schema``. Running it again changes nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

from loguru import logger
from psycopg import AsyncConnection, sql

from .logs import configure_logging
from .settings import Settings, get_settings

SCHEMA_FILE = Path(__file__).with_name("schema.sql")
TOPIC_VECTORS_FILE = Path(__file__).with_name("topic_vectors.sql")

# Two processes that apply the schema at once would collide inside CREATE ... IF NOT EXISTS.
LOCK_SCHEMA = "SELECT pg_advisory_xact_lock(hashtextextended('knowledge_schema', 0))"

# The type modifier of a vector column is its dimension; -1 means that none is fixed.
DIMENSIONS_FOUND = """
    SELECT c.relname, a.atttypmod
    FROM pg_attribute AS a
    JOIN pg_class AS c ON c.oid = a.attrelid
    WHERE a.attrelid IN ('messages'::regclass, 'atoms'::regclass, 'topics'::regclass) AND a.attname = 'embedding'
    ORDER BY c.relname
"""


async def apply_schema(settings: Settings) -> None:
    """Create what is missing, in one transaction.

    Raises:
        psycopg.Error: the server cannot be reached, or refuses (``CREATE EXTENSION`` needs the right to do so).
    """
    files = (SCHEMA_FILE, TOPIC_VECTORS_FILE) if settings.embed_topics else (SCHEMA_FILE,)
    statements = [
        sql.SQL(file.read_text(encoding="utf-8")).format(dimensions=sql.Literal(settings.embedding_dimensions))
        for file in files
    ]
    async with await AsyncConnection.connect(
        settings.database_url.get_secret_value(), connect_timeout=10, application_name="knowledge-pipeline-schema"
    ) as connection:
        await connection.execute("SET LOCAL statement_timeout = '60s'")
        await connection.execute(LOCK_SCHEMA)
        for part in statements:
            await connection.execute(part)
        for table, dimensions in await (await connection.execute(DIMENSIONS_FOUND)).fetchall():
            if dimensions != settings.embedding_dimensions:
                logger.error(
                    "Column {}.embedding has {} dimensions, but EMBEDDING_DIMENSIONS is {}: vectors will be refused",
                    table,
                    dimensions,
                    settings.embedding_dimensions,
                )


def main() -> None:
    """Apply the schema to the configured database."""
    configure_logging()
    asyncio.run(apply_schema(get_settings()))
    logger.info("Schema is up to date")


if __name__ == "__main__":
    main()
