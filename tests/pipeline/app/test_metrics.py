"""The pipeline's own metrics are read by Prometheus, and say what has happened."""

from __future__ import annotations

from typing import Any

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from doctor.pipeline.app.dead_letters import record_failure
from doctor.pipeline.app.tasks.extraction import extract_knowledge_from_messages_task
from doctor.pipeline.app.tasks.scoring import claim_batch


async def measured(pipeline: Any) -> dict[str, float]:
    answer = await pipeline.http.get("/metrics")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    return {family.name: family.samples[0].value for family in text_string_to_metric_families(answer.text)}


async def test_an_empty_pipeline_says_only_what_it_can_count(pipeline: Any) -> None:
    assert await measured(pipeline) == {"pipeline_pending_messages": 0.0, "pipeline_dead_letters": 0.0}


async def test_an_extraction_and_a_dead_letter_are_seen(pipeline: Any) -> None:
    await pipeline.agent()
    await pipeline.add_messages(10)
    await record_failure("app:task", {"number": 1}, ValueError("broken"), attempts=1)
    before = await measured(pipeline)
    assert (before["pipeline_pending_messages"], before["pipeline_dead_letters"]) == (10.0, 1.0)
    assert before["pipeline_message_embedding_coverage_ratio"] == 0.0
    claim = await claim_batch(7, "a test")
    assert claim is not None
    await extract_knowledge_from_messages_task(str(claim.extraction_id))
    after = await measured(pipeline)
    assert (after["pipeline_pending_messages"], after["pipeline_extraction_success_ratio"]) == (0.0, 1.0)
    assert after["pipeline_extraction_latency_seconds"] > 0
    assert after["pipeline_last_extraction_timestamp_seconds"] > 1_700_000_000
