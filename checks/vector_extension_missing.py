"""The vector extension is absent, or a version with known faults.

## What it finds
`pgvector` is not created in this database, or the server's copy of it has a known fault:

| fault | versions |
|---|---|
| a parallel HNSW build overflows (CVE-2026-3172) | 0.6.0 to 0.8.1 |
| VACUUM corrupts HNSW indexes | before 0.8.3 |
| VACUUM leaves an HNSW graph unrepaired | before 0.8.4 |
| IVFFlat overflows on 32-bit servers (CVE-2026-18022) | before 0.8.6 |

Also that the database still has the SQL of an older version than the server's copy.

## Why it hurts
Without the extension no vector column exists and every embedding is refused. A faulty version can crash the server, or
corrupt an index silently, so that search misses rows.

## How it is told from its look-alikes
`pg_extension` says what this database uses, `pg_available_extensions` what the server's files are. A server without the
files needs a package; a database without the extension needs one statement. The faults are in the library, so the
version of the files decides; SQL that is older than them lacks functions only, and is an information.

## How to fix
`CREATE EXTENSION vector;` or `ALTER EXTENSION vector UPDATE;` as a role that may do so, after installing the package.
Until 0.8.2 is there, `SET max_parallel_maintenance_workers = 0` keeps index builds from the overflow. Indexes of a
version with a fault of VACUUM are built anew after the update: `REINDEX INDEX CONCURRENTLY`.

## False positives
A pipeline that keeps its vectors elsewhere, and a distribution that mends faults without a new version. Leave the check
out with `--ignore PGS002`.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from doctor.api import (
    Database,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    Mechanism,
    Observation,
    Resource,
    Role,
    Severity,
    check,
)

_VERSION = """
SELECT available.default_version AS available, installed.extversion AS installed, version() ~ '32-bit' AS narrow
FROM (SELECT 'vector' AS name) AS wanted
LEFT JOIN pg_available_extensions AS available ON available.name = wanted.name
LEFT JOIN pg_extension AS installed ON installed.extname = wanted.name
"""

_Version = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Fault:
    """A fault of the versions from ``since`` up to, and without, ``mended``; see pgvector's change log.

    Where that does not say since when, it is the version that brought the index.
    """

    since: _Version
    mended: _Version
    what: str
    narrow: bool = False
    """Whether only 32-bit servers have it."""


FAULTS = (
    _Fault((0, 6, 0), (0, 8, 2), "a parallel HNSW build can overflow (CVE-2026-3172)"),
    _Fault((0, 5, 0), (0, 8, 3), "VACUUM can corrupt HNSW indexes"),
    _Fault((0, 5, 0), (0, 8, 4), "VACUUM can leave an HNSW graph unrepaired"),
    _Fault((0, 1, 0), (0, 8, 6), "IVFFlat can overflow (CVE-2026-18022)", narrow=True),
)

FEATURES = (((0, 5, 0), "HNSW"), ((0, 7, 0), "halfvec"), ((0, 8, 0), "iterative scans"))
"""What search of more than a few thousand rows, or of long vectors, is built on, and since when it is there."""


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
    assert row is not None  # one name was asked for
    available, installed = row["available"], row["installed"]
    seen = f"installed {installed}, available {available}"
    if installed is None:
        how = "CREATE EXTENSION vector" if available else "install the pgvector package on the server"
        yield _finding(
            "",
            "the extension `vector` does not exist in this database",
            "pgvector was never created here",
            Severity.ERROR,
            seen,
            FixOption.by_hand(how, "needs a role that may create extensions"),
        )
        return
    library = available or installed  # the files may be gone while the server still runs
    if faults := [fault.what for fault in FAULTS if _has(fault, _numbers(library), narrow=row["narrow"])]:
        cause = f"the pgvector package of the server is {library}"
        how = "install a newer pgvector package, then ALTER EXTENSION vector UPDATE"
        fix = FixOption.by_hand(how, "a package of the server")
        yield _finding("faults", f"pgvector {library}: {'; '.join(faults)}", cause, Severity.WARNING, seen, fix)
    if _numbers(installed) < _numbers(library):
        symptom = f"pgvector {installed} is in use, and the server has {library}"
        fix = FixOption.by_hand("ALTER EXTENSION vector UPDATE", "needs the role that owns the extension")
        yield _finding("outdated", symptom, "the extension was not updated with its package", Severity.INFO, seen, fix)
    lacking = [name for since, name in FEATURES if _numbers(installed) < since]
    yield Observation(f"pgvector {installed}" + (f", without {', '.join(lacking)}" if lacking else ""))


def _has(fault: _Fault, version: _Version, *, narrow: bool) -> bool:
    return fault.since <= version < fault.mended and (narrow or not fault.narrow)


def _numbers(version: str) -> _Version:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


IMPACTS = {
    Severity.ERROR: ("no embedding can be stored",),
    Severity.WARNING: ("an index can be lost, and search miss rows without an error",),
}


def _finding(subject: str, symptom: str, cause: str, severity: Severity, seen: str, fix: FixOption) -> Finding:
    return Finding(
        code="PGS002",
        resource=Resource("service", "pgvector"),
        subject=subject,
        symptom=symptom,
        cause=cause,
        severity=severity,
        role=Role.ADVICE if severity is Severity.INFO else Role.CAUSE,
        impacts=IMPACTS.get(severity, ()),
        evidence=(Evidence(EvidenceKind.SQL, "pg_extension", seen),),
        rule="a vector column needs the extension" if severity is Severity.ERROR else "pgvector's change log",
        fixes=(fix,),
        validation="doctor check --select PGS002",
    )
