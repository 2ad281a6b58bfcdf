"""What takes the messages answers, whatever it answers; or nobody does."""

from __future__ import annotations

import pytest

from doctor.model import Status
from tests.black_hole import black_hole
from tests.serving import serving


async def answer(status: int, send) -> None:
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b"says so"})


def application(status: int):
    async def app(scope, receive, send) -> None:
        if scope["type"] == "http":
            await answer(status, send)

    return app


def test_an_application_that_answers_is_ruled_out(examine):
    result = examine("APP001")
    assert result.status is Status.PASS
    assert [observation.rules_out for observation in result.observations] == ["application down"]


@pytest.mark.parametrize("status", [200, 401, 404, 500, 503])
def test_any_answer_of_its_own_will_do(examine, status):
    with serving(application(status)) as url:
        assert examine("APP001", API_URL=url).status is Status.PASS


@pytest.mark.parametrize("status", [502, 504])
def test_a_proxy_that_gets_no_answer_says_so(examine, status):
    with serving(application(status)) as url:
        (found,) = examine("APP001", API_URL=url).findings
    assert "a proxy in front" in found.cause


def test_a_port_on_which_nothing_listens(examine):
    (found,) = examine("APP001", API_URL="http://127.0.0.1:1").findings
    assert "nothing listens" in found.symptom


def test_what_never_answers_is_not_waited_for(examine):
    with black_hole() as port:
        (found,) = examine("APP001", API_URL=f"http://127.0.0.1:{port}").findings
    assert "nobody answered in time" in found.symptom


def test_what_is_no_address_is_said_to_be_none(examine):
    (found,) = examine("APP001", API_URL="http://[::1").findings
    assert "cannot be used as it is written" in found.symptom


def test_a_name_that_only_containers_know_is_no_outage(pipeline, examine):
    compose = pipeline.directory / "compose.yaml"
    compose.write_text("services: {api: {build: .}, worker: {build: .}}")
    try:
        result = examine("APP001", API_URL="http://api:8000")
    finally:
        compose.unlink()
    assert result.status is Status.UNKNOWN
    assert "cannot tell from here: `api` is a service of compose.yaml" in result.reason
