"""A system that swallows every packet costs its own deadline, and what the others say stays the same."""

from __future__ import annotations

import pytest

from doctor.model import Status
from tests.bench.outages import SYSTEMS, black_holed, live_checks, needs, others

DEADLINE = 15.0
"""Seconds by which a run must be over at any load of this machine; `make bench` shows what it takes."""


@pytest.mark.parametrize("service", SYSTEMS)
def test_a_black_hole_takes_no_other_system_with_it(pipeline, service):
    resource = SYSTEMS[service][0]
    healthy = live_checks(pipeline)
    with black_holed(pipeline, service):
        run = live_checks(pipeline)
    assert others(run, resource) == others(healthy, resource)
    assert run.duration < DEADLINE
    concerned = [result for result in run.before if needs(result, resource)]
    assert any(result.status is Status.FAIL for result in concerned)
