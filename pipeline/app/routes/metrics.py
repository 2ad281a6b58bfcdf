"""``GET /metrics``: what the pipeline says of itself, in the text that Prometheus and OpenMetrics both read."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse
from psycopg.rows import dict_row

from ..database import connection
from .problems import problems

router = APIRouter(tags=["health"])

_MEASURED = """
WITH recent AS (
    SELECT status, EXTRACT(epoch FROM finished_at - started_at) AS seconds, finished_at
    FROM task_executions
    WHERE task LIKE '%:extract\\_%' AND finished_at > now() - interval '24 hours'
)
SELECT
    (SELECT avg(seconds) FROM recent WHERE status = 'succeeded')::float AS pipeline_extraction_latency_seconds,
    (SELECT avg((status = 'succeeded')::int) FROM recent)::float AS pipeline_extraction_success_ratio,
    (SELECT EXTRACT(epoch FROM max(finished_at)) FROM recent WHERE status = 'succeeded')::float
        AS pipeline_last_extraction_timestamp_seconds,
    (SELECT count(*) FROM messages
     WHERE importance_score IS NOT NULL AND topic_id IS NULL AND extraction_id IS NULL)::float
        AS pipeline_pending_messages,
    (SELECT count(embedding)::float / NULLIF(count(*), 0) FROM messages) AS pipeline_message_embedding_coverage_ratio,
    (SELECT count(embedding)::float / NULLIF(count(*), 0) FROM atoms) AS pipeline_atom_embedding_coverage_ratio,
    (SELECT count(*) FROM failed_tasks)::float AS pipeline_dead_letters
"""
"""One row. What has not happened in the last day, or has nothing to be a share of, is NULL and is left out."""

HELP = {
    "pipeline_extraction_latency_seconds": "Mean duration of the extractions of the last day.",
    "pipeline_extraction_success_ratio": "Share of the extractions of the last day that succeeded.",
    "pipeline_last_extraction_timestamp_seconds": "When the last extraction succeeded, within the last day.",
    "pipeline_pending_messages": "Scored messages that wait for an extraction.",
    "pipeline_message_embedding_coverage_ratio": "Share of the messages that have a vector.",
    "pipeline_atom_embedding_coverage_ratio": "Share of the atoms that have a vector.",
    "pipeline_dead_letters": "Tasks that failed for good and wait to be sent again.",
}


@router.get("/metrics", response_class=PlainTextResponse, responses=problems(503))
async def metrics() -> PlainTextResponse:
    """Measure at the moment of asking; several processes say the same, because the database does."""
    async with connection() as lent, lent.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_MEASURED)
        row = await cursor.fetchone()
    return PlainTextResponse("".join(_lines(row or {})))


def _lines(row: dict[str, float | None]) -> Iterator[str]:
    for name, value in row.items():
        if value is not None:
            yield f"# HELP {name} {HELP[name]}\n# TYPE {name} gauge\n{name} {value!r}\n"
    yield "# EOF\n"
