"""A wrong address of PostgreSQL is one finding that says what is wrong with it."""

from __future__ import annotations

import re

import pytest

from doctor.model import Status


@pytest.mark.parametrize(
    ("pattern", "replacement", "reason"),
    [
        (r":[^:@/]+@", ":hunter2-planted@", "the credentials were refused"),
        (r"/[^/]+$", "/no_such_database", "database"),
        (r":\d+/", ":1/", "nothing listens"),
        (r"127\.0\.0\.1", "no-such-host.invalid", "host"),
        (r"^postgresql:", "mysql:", "the scheme 'mysql' is not PostgreSQL's"),
        (r"^.*$", "hunter2-planted", "neither a URL such as postgresql://"),
    ],
    ids=["password", "database", "port", "host", "scheme", "no address"],
)
def test_it_says_what_is_wrong_with_the_address(pipeline, examine, pattern, replacement, reason):
    url = pipeline.environment()["DATABASE_URL"]
    wrong = re.sub(pattern, replacement, url, count=1)
    assert wrong != url
    result = examine("PGS001", DATABASE_URL=wrong)
    assert result.status is Status.FAIL
    (finding,) = result.findings
    assert reason in finding.symptom
    assert finding.fixes[0].reason == "the address comes from environment"
    assert "hunter2-planted" not in repr(result)


def test_a_name_that_only_containers_know_is_no_outage(pipeline, examine):
    compose = pipeline.directory / "compose.yaml"
    compose.write_text("services: {db: {image: postgresql}, api: {build: .}}")
    try:
        result = examine("PGS001", DATABASE_URL="postgresql://app:hunter2-planted@db:5432/app")
    finally:
        compose.unlink()
    assert result.status is Status.UNKNOWN
    assert result.findings == ()
    assert "cannot tell from here: `db` is a service of compose.yaml" in result.reason
    assert "docker compose exec api python -c" in result.reason
    assert "planted" not in repr(result)


def test_a_server_that_answers_rules_a_dead_one_out(examine):
    result = examine("PGS001")
    assert result.status is Status.PASS
    assert [observation.rules_out for observation in result.observations] == ["database down"]
