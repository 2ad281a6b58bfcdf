"""Which models the code asks for, and of which server: clients with their address, the names beside them, and what it
takes where a variable of the environment is not set."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Protocol

from doctor.model import Resource
from doctor.model_uses import EMBEDDING, MODEL_VARIABLES, OPENAI_URLS, ModelUse, ServerFinder
from doctor.resources.environment import Environment
from doctor.resources.model_server import ModelServer
from doctor.source.collectors.environment_reads import COLLECTOR as READS
from doctor.source.collectors.environment_reads import EnvironmentRead
from doctor.source.collectors.model_clients import COLLECTOR, ModelClient, ModelName
from doctor.source.index import Source

URL_VARIABLES = {"OLLAMA_HOST": "ollama", "OLLAMA_BASE_URL": "ollama", **dict.fromkeys(OPENAI_URLS, "openai")}
"""Variables that hold the base URL of a kind of server."""


class Place(Protocol):
    """A line of the code that names a server."""

    @property
    def path(self) -> str:
        """The file."""

    @property
    def line(self) -> int:
        """The line."""

    @property
    def text(self) -> str:
        """What stands there."""


def default_uses(
    source: Source, environment: Environment, finder: ServerFinder
) -> tuple[dict[ModelServer, tuple[Place, ...]], tuple[ModelUse, ...]]:
    """Return the servers and models that the code takes because nothing sets their variable."""
    reads = [read for read in source.collected(READS) if _counts(read, environment)]
    urls = {URL_VARIABLES[read.name]: read for read in reads if read.name in URL_VARIABLES}
    servers: dict[ModelServer, tuple[Place, ...]] = {}
    for kind, read in urls.items():
        found = finder.at(kind, read.default or "", f"{read.path}:{read.line}", finder.default_key(kind))
        if found is not None and (kind == "ollama" or finder.default_key(kind) is not None):
            servers[found] = (read,)
    uses = []
    for name, kind, capability in MODEL_VARIABLES:
        for read in (each for each in reads if each.name == name):
            own = next((server for server in servers if server.kind == kind), None)
            server = own or (finder.of_kind(kind) if kind == "ollama" or finder.default_key(kind) else None)
            if server is not None:
                place = Resource("code", f"{read.path}:{read.default}", read.path, read.line)
                uses.append(ModelUse(read.default or "", capability, server, place, f"{read.path}:{read.line}"))
    return servers, tuple(uses)


def _counts(read: EnvironmentRead, environment: Environment) -> bool:
    variable = environment.get(read.name)
    is_set = variable is not None and (bool(variable.value) or not read.ignores_empty)
    return bool(read.default) and not read.apart and not is_set


def model_calls(source: Source, environment: Environment, finder: ServerFinder) -> tuple[ModelUse, ...]:
    """Return the models that the code names where only one server can be meant in that file.

    A client without an address and without a key that is set is an option that nobody has taken: it is left out.
    """
    by_file: dict[str, list[ModelClient | ModelName]] = defaultdict(list)
    for fact in source.collected(COLLECTOR):
        by_file[fact.path].append(fact)
    found: list[ModelUse] = []
    for facts in by_file.values():
        clients = [fact for fact in facts if isinstance(fact, ModelClient)]
        names = [fact for fact in facts if isinstance(fact, ModelName)]
        servers = {_server(client, environment, finder): client for client in clients}
        servers.pop(None, None)
        if len(servers) == 1 and names:
            ((server, client),) = servers.items()
            assert server is not None
            found += _uses(server, client, names)
    return tuple(found)


def _uses(server: ModelServer, client: ModelClient, names: Iterable[ModelName]) -> list[ModelUse]:
    first: dict[tuple[str, str], ModelName] = {}
    for name in sorted(names, key=lambda name: (name.line, name.link)):
        first.setdefault((name.model, name.capability), name)
    return [
        ModelUse(
            name.model,
            EMBEDDING if client.embeds else name.capability,
            server,
            Resource("code", f"{name.path}:{name.model}", name.path, name.line),
            f"{name.path}:{name.line}",
            link=name.link,
        )
        for name in first.values()
    ]


def client_servers(
    source: Source, environment: Environment, finder: ServerFinder
) -> dict[ModelServer, tuple[ModelClient, ...]]:
    """Return every server that the code makes a client for, with the places."""
    found: dict[ModelServer, list[ModelClient]] = defaultdict(list)
    for fact in source.collected(COLLECTOR):
        server = _server(fact, environment, finder) if isinstance(fact, ModelClient) else None
        if server is not None:
            found[server].append(fact)
    return {server: tuple(clients) for server, clients in found.items()}


def _server(client: ModelClient, environment: Environment, finder: ServerFinder) -> ModelServer | None:
    variable = environment.get(client.variable) if client.variable else None
    url = variable.value if variable is not None and variable.value else client.address
    origin = f"{client.path}:{client.line}" if url == client.address or variable is None else variable.origin
    key = environment.secret(client.key_variable) if client.key_variable else finder.default_key(client.kind)
    if url:
        return finder.at(client.kind, url, origin, key)
    return finder.of_kind(client.kind) if client.kind == "ollama" or key is not None else None
