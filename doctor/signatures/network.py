"""Names that do not resolve, servers that do not answer."""

from doctor.api import Hypothesis, KnownSignature

_VANTAGE = "the name exists only inside the compose network, and the program runs outside of it: no outage"

SIGNATURES = (
    KnownSignature(
        "name-not-resolved",
        "the name of a server cannot be resolved",
        hint="known",
        pattern=r"nodename nor servname provided, or not known|Name or service not known",
        examples=(
            "[Errno 8] nodename nor servname provided, or not known",
            "[Errno -2] Name or service not known",
        ),
        area="models",
        hypotheses=(
            Hypothesis(_VANTAGE, "MOD002"),
            Hypothesis("the address of the queue is wrong", "NAT001"),
            Hypothesis("the address of the database is wrong", "PGS001"),
        ),
        leads_to=("embedding-not-queued", "enqueue-failed"),
    ),
    KnownSignature(
        "name-resolution-failed",
        "the name of a server cannot be resolved for now",
        hint="name resolution",
        pattern=r"Temporary failure in name resolution",
        examples=("[Errno -3] Temporary failure in name resolution",),
        area="models",
        hypotheses=(Hypothesis(_VANTAGE, "MOD002"),),
    ),
    KnownSignature(
        "nats-unavailable",
        "the queue cannot be reached",
        hint="nats: ",
        pattern=r"nats: (?:no servers available|timeout|connection closed|no response from stream|unexpected EOF)",
        examples=("nats: no servers available for connection",),
        area="nats",
        hypotheses=(
            Hypothesis("NATS does not answer", "NAT001"),
            Hypothesis("JetStream is off", "NAT002"),
            Hypothesis("JetStream has no stream for the tasks", "NAT004"),
        ),
        leads_to=("embedding-not-queued", "enqueue-failed", "result-not-stored"),
        resources=("service:nats",),
    ),
    KnownSignature(
        "database-unavailable",
        "the database cannot be reached",
        hint="connection",
        pattern=r"connection to server at \"[^\"]*\".* failed|connection refused.*5432|too many clients already"
        r"|terminating connection due to administrator command|couldn't get a connection after",
        examples=('connection to server at "127.0.0.1", port 5432 failed: Connection refused',),
        area="database",
        hypotheses=(Hypothesis("PostgreSQL does not answer", "PGS001"),),
        leads_to=("task-raised",),
        resources=("service:postgresql",),
    ),
)
