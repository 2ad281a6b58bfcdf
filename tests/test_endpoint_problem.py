"""A server that answers with an error: its own, that of a proxy in between, or of an account without money."""

from __future__ import annotations

import pytest

from doctor.endpoint_probe import EndpointState, probe_endpoint
from doctor.endpoint_problem import EndpointProblem, endpoint_problem
from doctor.resources.models import Models
from tests.wire import listening, response

PAGE = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
QUOTA = b'{"error": {"message": "You exceeded your current quota", "type": "insufficient_quota"}}'
LIMIT = b'{"error": {"message": "Rate limit reached", "type": "requests", "code": "rate_limit_exceeded"}}'


async def problem(status: str, body: bytes, kind: str = "application/json") -> EndpointProblem:
    async with listening(lambda head: response(status, body, kind)) as wire:
        models = Models()
        report = await probe_endpoint(models, models.openai(f"http://{wire.authority}/v1"))
        await models.close()
    assert report.state is EndpointState.TROUBLED
    return await endpoint_problem(report)


@pytest.mark.parametrize(
    "status", ["403 Forbidden", "502 Bad Gateway", "503 Service Unavailable", "504 Gateway Timeout"]
)
async def test_a_page_is_of_a_proxy_in_between(status: str):
    found = await problem(status, PAGE, "text/html")
    assert "a proxy in between" in found.cause
    assert "the proxy" in found.remedy
    assert "wait" not in found.remedy


@pytest.mark.parametrize("status, body", [("402 Payment Required", b"{}"), ("429 Too Many Requests", QUOTA)])
async def test_an_account_without_money_is_not_helped_by_waiting(status: str, body: bytes):
    found = await problem(status, body)
    assert "quota" in found.cause
    assert "do not retry" in found.remedy
    assert "billing" in found.remedy


async def test_too_many_requests_and_too_much_to_do_are_worth_waiting_for():
    assert "wait" in (await problem("429 Too Many Requests", LIMIT)).remedy
    found = await problem("503 Service Unavailable", b'{"error": "overloaded"}')
    assert "wait" in found.remedy
    assert "of its own" in found.cause


async def test_an_error_in_json_is_the_servers_own():
    assert (await problem("500 Internal Server Error", b'{"error": "no memory"}')).remedy == "read its own log"
