"""A service of the compose file is told to find another one at `localhost`, which inside a container is itself.

## What it finds
Variables under `environment` of a service in the compose file by which clients are told where to connect (databases,
queues, caches, model servers: `DATABASE_URL`, `NATS_URL`, `…_BASE_URL`), and whose value is a URL with a loopback host:

    api:
      build: .
      environment: {OLLAMA_HOST: "http://localhost:11434"}

## Why it hurts
Inside the container nobody listens there: connection refused, although the same address works on the machine.

## How it is told from its look-alikes
A service with `network_mode: host` shares the machine's loopback and is silent, and so is an address at a port that
the service itself opens. The address that is right is named: the service of the file that has that port, else
`host.docker.internal`. `0.0.0.0` is where a server listens, and silent in a variable of a server. Addresses for
browsers (`FRONTEND_URL`, `CORS_ORIGINS`, `NEXT_PUBLIC_…`) are right as they are: a browser is on the machine.

## How to fix
Write the name of the service (`http://ollama:11434`), or `host.docker.internal` for what runs on the machine.

## False positives
A process in the same container, or a side-car that shares its network; a variable of a client's name that the program
only hands on to a browser. A name that says nothing (`API_URL`) counts only where the line that reads it
connects to it (`httpx.Client(base_url=os.environ["API_URL"])`), so an address there may be missed.
"""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from doctor.api import (
    ComposeProject,
    ComposeService,
    Environment,
    EnvironmentRead,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    NotApplicableError,
    Observation,
    Resource,
    Severity,
    Source,
    check,
    find_compose,
)
from doctor.source.collectors.environment_reads import COLLECTOR as READS

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

_CLIENTS = re.compile(
    r"(?:^|_)(?:DATABASE|DB|POSTGRES(?:QL)?|PG|NATS|BROKER|AMQP|RABBITMQ|REDIS|KAFKA|MONGO(?:DB)?|QDRANT|ELASTICSEARCH"
    r"|OLLAMA|OPENAI|HF|LLM|MODEL|EMBEDDINGS?)(?:_|$)|_BASE_URL$|_API_BASE$"
)
"""Names by which a program is told what to connect to."""

_BROWSERS = re.compile(
    r"(?:^|_)(?:FRONTEND|CORS|REDIRECT|CALLBACK|ORIGINS?|PUBLIC|VITE|REACT_APP|SITE|ALLOWED)(?:_|$)"
    r"|^(?:APP|WEB)_BASE_URL$"
)
"""Names of addresses that a browser is given, and that no service asks."""

_CONNECTS = re.compile(
    r"\bbase_url\s*=|\b(?:connect|from_url|create_(?:async_)?engine|\w*(?:Client|OpenAI|Broker|Pool))\("
)
"""How a line of code looks that connects to what it reads."""


@check("MOD012", "loopback-in-container", severity=Severity.ERROR, tags=["live"])
def loopback_in_container(environment: Environment, source: Source | None = None) -> Iterator[Finding | Observation]:
    """Look at the variables that the compose file gives to its services, and at who reads them."""
    reads: tuple[EnvironmentRead, ...] = () if source is None else source.collected(READS)
    project = find_compose(environment.root, lambda name: getattr(environment.get(name), "value", None))
    if project is None:
        raise NotApplicableError("no compose file here")
    for service in project.services:
        for name, value in service.environment:
            readers = [read for read in reads if service.is_built and read.name == name and not read.apart]
            if not _is_for_clients(name, readers):
                continue
            port = _loopback_port(value)
            if port is not None and not service.shares_host and port not in {theirs for theirs, _ in service.ports}:
                yield _finding(project, service, name, port, readers)
    yield Observation(f"{len(project.services)} services in {project.path}")


def _is_for_clients(name: str, readers: list[EnvironmentRead]) -> bool:
    """Tell whether a variable says where to connect to: by its name, or by the line of code that reads it."""
    if _BROWSERS.search(name.upper()):
        return False
    return bool(_CLIENTS.search(name.upper())) or any(_CONNECTS.search(read.text) for read in readers)


def _loopback_port(value: str) -> int | None:
    """Return the port of a URL with a loopback host, or None for anything else."""
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        return None
    return port or 0 if parts.scheme and parts.hostname in LOOPBACK else None


def _finding(
    project: ComposeProject, service: ComposeService, name: str, port: int, readers: list[EnvironmentRead]
) -> Finding:
    other = next((each for each in project.services if port in {theirs for theirs, _ in each.ports}), None)
    right = other.name if other is not None else "host.docker.internal"
    return Finding(
        code="MOD012",
        resource=Resource("variable", f"{service.name}.{name}", project.path),
        symptom=f"service `{service.name}` is told by `{name}` to ask itself, at port {port or 'of the scheme'}",
        cause=f"`localhost` in the container of `{service.name}` is that container",
        severity=Severity.ERROR,
        impacts=("every connection is refused in the container, while it works on the machine",),
        evidence=(
            Evidence(EvidenceKind.CONFIG, project.path, f"{service.name}: environment: {name}"),
            *(Evidence(EvidenceKind.CODE, f"{read.path}:{read.line}", read.text) for read in readers[:3]),
        ),
        rule="docker: each container has a loopback of its own",
        fixes=(FixOption.by_hand(f"let `{name}` name `{right}`", f"in {project.path}, under `{service.name}`"),),
        validation="doctor check --select MOD012",
    )
