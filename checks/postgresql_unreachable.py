"""PostgreSQL cannot be reached.

## What it finds
The address in `DATABASE_URL` (or the variable named in `[target] database_env`) does not lead to a working session:
nothing listens, the name does not resolve, the password is refused, the database does not exist, or the server does
not answer in time.

## Why it hurts
Every stage of the chain stores its result in PostgreSQL. Without it nothing is saved, and nothing can be said about
the rows.

## How it is told from its look-alikes
The reason is read from the connection attempt itself: a refused port, an unknown host and a wrong password are three
different sentences. A bare name, as only containers know it (`db` from a laptop), is no outage: then nobody can tell
from here, and the reason says with which command one can. All checks that need the database are then skipped and name
this one, so one dead server is one finding.

## How to fix
Start the server, or correct the address where the finding says it came from.

## False positives
A database that is reachable from the application's network but not from here. Run the doctor where the application
runs.
"""

from collections.abc import AsyncIterator

from doctor.api import (
    CouldNotTellError,
    Database,
    DatabaseUnreachable,
    Environment,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    Observation,
    Reason,
    Resource,
    Severity,
    check,
    milliseconds,
    service_elsewhere,
)

ROUND_TRIPS = 3
"""The shortest counts: in the others the answer waited for the doctor, which is busy with other checks."""


@check("PGS001", "postgresql-unreachable", severity=Severity.CRITICAL, tags=["live"], guards="database")
async def postgresql_unreachable(database: Database, environment: Environment) -> AsyncIterator[Finding | Observation]:
    """Open one session and ask for the version."""
    endpoint = database.endpoint
    try:
        await database.open()
        round_trip = min([await milliseconds(database.scalar("SELECT 1")) for _ in range(ROUND_TRIPS)])
    except DatabaseUnreachable as error:
        where = await service_elsewhere(environment, database.endpoint.address, error.reason)
        if where is not None:
            raise CouldNotTellError(f"cannot tell from here: {where.why}. This can: {where.command}") from error
        unusable = error.reason is Reason.INVALID_ADDRESS and error.detail
        what = error.detail if unusable else error.reason.explanation
        yield Finding(
            code="PGS001",
            resource=Resource("service", "postgresql"),
            symptom=f"PostgreSQL at {endpoint.address}: {what}",
            cause=f"PostgreSQL: {error.reason.explanation}",
            severity=Severity.CRITICAL,
            impacts=("nothing is saved, searched or scored",),
            evidence=(
                Evidence(
                    EvidenceKind.SQL, endpoint.address, f"{error.reason}: {error.detail or error.reason.explanation}"
                ),
            ),
            rule="every stage of the chain reads or writes there",
            fixes=(FixOption.by_hand(error.reason.remedy, f"the address comes from {endpoint.origin}"),),
            validation="doctor check --select PGS001",
        )
        return
    text = f"PostgreSQL {database.server_version}, round trip {round_trip:.1f} ms"
    yield Observation(text, rules_out="database down")
