"""A database in which nobody has created the extension."""

from __future__ import annotations

import pytest

from doctor.checks.vector_extension_missing import FAULTS, _has
from doctor.model import Role, Severity, Status


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


@pytest.fixture
def recorded(execute):
    """Let the catalog of the real server record another version of the SQL, as before an update of the package."""

    def record(version: str) -> None:
        execute(f"UPDATE pg_extension SET extversion = '{version}' WHERE extname = 'vector'")

    with_version = "UPDATE pg_extension AS e SET extversion = a.default_version FROM pg_available_extensions AS a"
    yield record
    execute(f"{with_version} WHERE a.name = e.extname AND e.extname = 'vector'")


def test_older_sql_beside_a_newer_library_is_an_information(recorded, examine):
    recorded("0.7.4")
    result = examine("PGS002")
    (finding,) = result.findings
    assert (finding.subject, finding.severity, finding.role) == ("outdated", Severity.INFO, Role.ADVICE)
    assert finding.symptom.startswith("pgvector 0.7.4 is in use, and the server has 0.")
    assert finding.fixes[0].title == "ALTER EXTENSION vector UPDATE"
    assert result.observations[0].text == "pgvector 0.7.4, without iterative scans"


@pytest.mark.parametrize(
    ("version", "narrow", "known"),
    [
        ((0, 4, 4), False, []),
        ((0, 5, 1), False, ["VACUUM can corrupt", "VACUUM can leave"]),
        ((0, 8, 1), False, ["a parallel HNSW build", "VACUUM can corrupt", "VACUUM can leave"]),
        ((0, 8, 2), False, ["VACUUM can corrupt", "VACUUM can leave"]),
        ((0, 8, 3), False, ["VACUUM can leave"]),
        ((0, 8, 5), False, []),
        ((0, 8, 5), True, ["IVFFlat can overflow"]),
        ((0, 8, 6), True, []),
    ],
)
def test_the_faults_of_a_version_are_those_of_the_change_log(version, narrow, known):
    found = [fault.what for fault in FAULTS if _has(fault, version, narrow=narrow)]
    assert [any(what.startswith(start) for what in found) for start in known] == [True] * len(known)
    assert len(found) == len(known)
