"""What does not answer as NATS does is one finding."""

from __future__ import annotations

from doctor.model import Status


def test_a_port_on_which_nothing_listens(examine):
    result = examine("NAT001", NATS_URL="nats://127.0.0.1:1")
    assert result.status is Status.FAIL
    assert "nothing listens" in result.findings[0].symptom


def test_another_service_at_the_address(pipeline, examine):
    port = pipeline.state().services["api"].port
    result = examine("NAT001", NATS_URL=f"nats://127.0.0.1:{port}")
    assert result.status is Status.FAIL
    assert "something else answers" in result.findings[0].symptom


def test_a_name_that_only_containers_know_is_no_outage(pipeline, examine):
    compose = pipeline.directory / "compose.yaml"
    compose.write_text("services: {nats: {image: nats}, api: {build: .}}")
    try:
        result = examine("NAT001", NATS_URL="nats://nats:4222")
    finally:
        compose.unlink()
    assert result.status is Status.UNKNOWN
    assert result.findings == ()
    assert "cannot tell from here: `nats` is a service of compose.yaml" in result.reason
    assert "docker compose exec api python -c" in result.reason
    assert "planted" not in repr(result)


def test_a_server_that_answers_rules_a_dead_one_out(examine):
    result = examine("NAT001")
    assert result.status is Status.PASS
    assert [observation.rules_out for observation in result.observations] == ["NATS down"]
