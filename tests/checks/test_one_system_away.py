"""A system that is away costs its own deadline, and what the others say stays the same; none is asked after another."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from doctor.commands.output import registry
from doctor.model import Run, Status
from doctor.pipeline.sandbox.sandbox import Sandbox
from doctor.runner import run_checks
from doctor.target import Target
from tests.bench.outages import SYSTEMS, black_holed, frozen, live_checks, needs, others
from tests.serving import serving

DEADLINE = 15.0
"""Seconds by which a run must be over at any load of this machine; `make bench` shows what it takes."""

WAYS = {"frozen": frozen, "black-holed": black_holed}


@pytest.fixture(scope="module")
def seen_healthy() -> list[Run]:
    """The run on the healthy pipeline, once one of the tests has had it made."""
    return []


@pytest.fixture
def healthy(pipeline: Sandbox, seen_healthy: list[Run]) -> Run:
    if not seen_healthy:
        seen_healthy.append(live_checks(pipeline))
    return seen_healthy[0]


@pytest.mark.parametrize(
    ("service", "way"),
    [*((service, "black-holed") for service in SYSTEMS), ("nats", "frozen"), ("models", "frozen")],
)
def test_a_system_that_never_answers_takes_no_other_with_it(pipeline, healthy: Run, service: str, way: str):
    resource = SYSTEMS[service][0]
    with WAYS[way](pipeline, service):
        run = live_checks(pipeline)
    assert others(run, resource) == others(healthy, resource)
    assert run.duration < DEADLINE
    concerned = [result for result in run.before if needs(result, resource)]
    assert any(result.status is Status.FAIL for result in concerned)


class Gate:
    """A stand-in for several services that answers nobody before each of them has been asked."""

    def __init__(self, *names: str) -> None:
        self.missing = set(names)
        self.open = asyncio.Event()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.missing.discard(scope["path"].split("/")[1])
        if not self.missing:
            self.open.set()
        await self.open.wait()
        await send({"type": "http.response.start", "status": 500, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})


async def test_all_services_are_asked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Whoever asked one after the other would wait for ever at the first."""
    gate = Gate("ollama", "openai", "hub", "keys")
    with serving(gate) as url:
        variables = {
            "OLLAMA_HOST": f"{url}/ollama",
            "OPENAI_BASE_URL": f"{url}/openai/v1",
            "OPENAI_MODEL": "gpt-4o",
            "HF_ENDPOINT": f"{url}/hub",
            "HF_HUB_CACHE": str(tmp_path / "cache"),
            "LOCAL_MODEL": "Qwen/Qwen2.5-7B-Instruct",
            "OIDC_ISSUER": f"{url}/keys",
            "OIDC_JWKS_URL": f"{url}/keys",
        }
        (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
        checks = [
            check for check in registry().checks.values() if check.code in ("MOD001", "MOD002", "MOD010", "AUT005")
        ]
        async with Target.at(tmp_path, keeps_facts=False) as target:
            results = {result.code: result for result in await run_checks(checks, target)}
    assert gate.missing == set()
    assert "in time" not in repr(results)
    assert {results[code].status for code in ("MOD002", "AUT005")} == {Status.FAIL}
