"""The vector extension is absent or a version with known faults.

## What it finds
`pgvector` is not created in this database, is older than the server's own copy of it, or is a version with a known
fault: before 0.5.0 there is no HNSW index, and parallel HNSW builds of 0.6.0 to 0.8.1 can overflow (CVE-2026-3172,
fixed in 0.8.2).

## Why it hurts
Without the extension no vector column exists and every embedding is refused. A faulty version can corrupt an index
silently.

## How it is told from its look-alikes
`pg_extension` says what this database uses, `pg_available_extensions` what the server could use. A server without the
files needs a package; a database without the extension needs one statement.

## How to fix
`CREATE EXTENSION vector;` or `ALTER EXTENSION vector UPDATE;` as a role that may do so, after installing the package.

## False positives
A pipeline that keeps its vectors elsewhere. Leave the check out with `--ignore PGS002`.
"""

from collections.abc import AsyncIterator

from doctor.api import (
    Database,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    Mechanism,
    Observation,
    Resource,
    Severity,
    check,
)

_VERSION = """
SELECT available.default_version AS available, installed.extversion AS installed
FROM (SELECT 'vector' AS name) AS wanted
LEFT JOIN pg_available_extensions AS available ON available.name = wanted.name
LEFT JOIN pg_extension AS installed ON installed.extname = wanted.name
"""

SAFE_VERSION = (0, 8, 2)
"""First version without the overflow in parallel HNSW builds (CVE-2026-3172)."""


@check(
    "PGS002",
    "vector-extension-missing",
    severity=Severity.ERROR,
    tags=["live"],
    mechanisms=[
        Mechanism("PGS002", "EMB001", "without the extension no vector can be stored", ("service",)),
    ],
)
async def vector_extension_missing(database: Database) -> AsyncIterator[Finding | Observation]:
    """Compare what the database uses with what the server has."""
    row = await database.fetch_one(_VERSION)
    available, installed = (row["available"], row["installed"]) if row else (None, None)
    evidence = (Evidence(EvidenceKind.SQL, "pg_extension", f"installed {installed}, available {available}"),)
    if installed is None:
        how = "CREATE EXTENSION vector" if available else "install the pgvector package on the server"
        yield Finding(
            code="PGS002",
            resource=Resource("service", "pgvector"),
            symptom="the extension `vector` does not exist in this database",
            cause="pgvector was never created here",
            severity=Severity.ERROR,
            impacts=("no embedding can be stored",),
            evidence=evidence,
            rule="a vector column needs the extension",
            fixes=(FixOption.by_hand(how, "needs a role that may create extensions"),),
            validation="doctor check --select PGS002",
        )
    elif _numbers(installed) < SAFE_VERSION:
        yield Finding(
            code="PGS002",
            resource=Resource("service", "pgvector"),
            subject="outdated",
            symptom=f"pgvector {installed} is older than 0.8.2: parallel HNSW builds can overflow (CVE-2026-3172)",
            cause="the extension was not updated",
            severity=Severity.WARNING,
            impacts=("an index build can crash the server or corrupt the index",),
            evidence=evidence,
            rule="the fault is documented for versions 0.6.0 to 0.8.1",
            fixes=(FixOption.by_hand("ALTER EXTENSION vector UPDATE", "needs a role that may alter extensions"),),
            validation="doctor check --select PGS002",
        )
    else:
        yield Observation(f"pgvector {installed}")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
