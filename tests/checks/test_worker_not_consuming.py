"""A worker that is gone, one that is frozen, and one that waits for work."""

from __future__ import annotations

from doctor.model import Status


def test_an_idle_worker_rules_a_dead_one_out(examine):
    result = examine("WRK001")
    assert result.status is Status.PASS
    assert [observation.rules_out for observation in result.observations] == ["worker down"]


def test_a_worker_that_is_gone_is_named_with_what_waits_for_it(pipeline, examine):
    pipeline.stop("worker")
    try:
        pipeline.send_messages(3, -77)
        result = examine("WRK001")
    finally:
        pipeline.start("worker")
    assert result.status is Status.FAIL
    assert "3 wait, no worker runs here" in result.findings[0].symptom
