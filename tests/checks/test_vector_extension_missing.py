"""A database in which nobody has created the extension."""

from __future__ import annotations

from doctor.model import Status


def test_a_database_without_the_extension_is_told_how_to_get_it(pipeline, execute, examine):
    execute("CREATE DATABASE without_vectors")
    try:
        url = pipeline.environment()["DATABASE_URL"].rpartition("/")[0] + "/without_vectors"
        result = examine("PGS002", DATABASE_URL=url)
    finally:
        execute("DROP DATABASE without_vectors WITH (FORCE)")
    assert result.status is Status.FAIL
    assert "does not exist in this database" in result.findings[0].symptom
    assert result.findings[0].fixes[0].title == "CREATE EXTENSION vector"


def test_an_extension_that_is_there_is_named_with_its_version(examine):
    result = examine("PGS002")
    assert result.status is Status.PASS
    assert result.observations[0].text.startswith("pgvector 0.")
