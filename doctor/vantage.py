"""From where one looks: an address that only containers know is no outage, and ``localhost`` is each time another.

Casebook C10: ``http://ollama:11434`` from a laptop. The name exists inside the network of a compose project alone. What
can be said from here is whether the published port answers; for the rest there is a command that can tell.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from doctor.resources.address import in_url, is_loopback
from doctor.resources.compose import ComposeProject, find_compose
from doctor.resources.environment import Environment
from doctor.resources.unreachable import Reason

DOCKER_HOST = "host.docker.internal"
"""The machine around the containers, as Docker calls it from inside; outside the name means nothing."""

_MARKS = (".dockerenv", "run/.containerenv")
_CGROUPS = ("docker", "kubepods", "containerd", "libpod")

CONNECT_SECONDS = 1.0
"""How long a port of this machine may take to accept a connection."""

Answers = Callable[[str], Awaitable[bool]]
"""Tells whether a service of the right kind answers at a URL."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """An address that cannot be judged from here. ``at`` is where the service answers from here, or empty."""

    why: str
    at: str
    command: str
    evidence: tuple[tuple[str, str], ...] = ()


def inside_container(root: Path = Path("/")) -> bool:
    """Tell whether this process runs in a container, by the marks that Docker, Podman and Kubernetes leave."""
    if any((root / mark).exists() for mark in _MARKS):
        return True
    try:
        groups = (root / "proc/1/cgroup").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return any(word in groups for word in _CGROUPS)


async def seen_from_here(
    environment: Environment, url: str, reason: Reason, answers: Answers, *, contained: bool | None = None
) -> Elsewhere | None:
    """Return why ``url``, which failed for ``reason``, cannot be judged from here, or None when it can.

    ``contained`` says whether this process runs in a container (None: look).
    """
    parts = urlsplit(url)
    host, port = (parts.hostname or "").lower(), parts.port or (443 if parts.scheme == "https" else 80)
    if reason is not Reason.UNKNOWN_HOST:
        return None
    inside = inside_container() if contained is None else contained
    if host == DOCKER_HOST:
        return None if inside else await _docker_host(parts.scheme, port, parts.path, answers)
    project = find_compose(environment.root, lambda name: getattr(environment.get(name), "value", None))
    service = project.service(host) if project is not None else None
    if service is None and not _is_bare(host):
        return None
    ours = port if service is None else service.published(port)
    path = parts.path if parts.scheme != "tcp" else ""
    here = _here(parts.scheme, ours, path) if ours is not None else ""
    at = here if here and await answers(here) else ""
    if service is None and inside and not at:
        return None  # where containers find one another, this one is not to be found
    return Elsewhere(
        _why(host, port, ours, at, project), at, _command(url, host, project), _evidence(host, ours, at, project)
    )


async def service_elsewhere(
    environment: Environment, address: str, reason: Reason, *, contained: bool | None = None
) -> Elsewhere | None:
    """Return the same for a service that speaks no HTTP; ``address`` is ``host:port``, with or without more behind it.

    Where its published port takes connections, the service is held to answer there.
    """
    url = f"tcp://{address.partition(' ')[0].rpartition('://')[2]}"
    try:
        port = urlsplit(url).port
    except ValueError:  # several hosts
        return None
    return None if port is None else await seen_from_here(environment, url, reason, _accepts, contained=contained)


async def _accepts(url: str) -> bool:
    parts = urlsplit(url)
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def loopback_of_a_container(url: str, reason: Reason, answers: Answers, *, contained: bool | None = None) -> str:
    """Return the URL at which the service answers on the machine around this container, or an empty text.

    Inside a container ``localhost`` is the container itself.
    """
    parts = urlsplit(url)
    inside = inside_container() if contained is None else contained
    if not inside or reason is not Reason.REFUSED or not is_loopback(parts.hostname or ""):
        return ""
    around = urlunsplit((parts.scheme, f"{DOCKER_HOST}:{parts.port or 80}", parts.path, "", ""))
    return around if await answers(around) else ""


async def _docker_host(scheme: str, port: int, path: str, answers: Answers) -> Elsewhere:
    here = _here(scheme, port, path)
    at = here if await answers(here) else ""
    seen = f"{here} {'answers' if at else 'does not answer'}"
    why = f"`{DOCKER_HOST}` is this machine as containers call it, and means nothing outside of them; {seen}"
    command = (
        f"docker run --rm --add-host {DOCKER_HOST}:host-gateway curlimages/curl -sS {scheme}://{DOCKER_HOST}:{port}"
    )
    return Elsewhere(why, at, command, (("the same port here", seen),))


def _why(host: str, port: int, ours: int | None, at: str, project: ComposeProject | None) -> str:
    if project is not None and project.service(host) is not None:
        where = f"`{host}` is a service of {project.path}, and its name exists only in the network of that project"
    else:
        where = f"`{host}` is a bare name, as only a network of containers knows it"
    if at:
        return f"{where}; from here it answers at {at.removeprefix('tcp://')}"
    if ours is None:
        return f"{where}; its port {port} is not published, so nothing leads to it from here"
    return f"{where}; nothing answers on port {ours} of this machine either"


def _command(url: str, host: str, project: ComposeProject | None) -> str:
    neighbour = None if project is None else project.neighbour(host)
    parts = urlsplit(url)
    is_http = parts.scheme in ("http", "https")
    if neighbour is None:
        ask = f"curlimages/curl -sS {url}" if is_http else f"busybox nc -zv {host} {parts.port}"
        return f"docker run --rm --network NETWORK {ask}"
    ask = f"import urllib.request as u; print(u.urlopen('{url}', timeout=5).read(200))"
    if not is_http:
        ask = f"import socket; print(socket.create_connection(('{host}', {parts.port}), 5))"
    return f'docker compose exec {neighbour.name} python -c "{ask}"'


def _evidence(host: str, ours: int | None, at: str, project: ComposeProject | None) -> tuple[tuple[str, str], ...]:
    found = [(f"resolving {host}", "the name does not exist here")]
    if project is not None and project.service(host) is not None:
        found.append((project.path, f"service {host}, published on port {ours or 'none'}"))
    if ours is not None:
        found.append((f"127.0.0.1:{ours}", "answers as expected" if at else "does not answer as expected"))
    return tuple(found)


def _here(scheme: str, port: int, path: str) -> str:
    return urlunsplit((scheme, f"{in_url('127.0.0.1')}:{port}", path, "", ""))


def _is_bare(host: str) -> bool:
    """Tell whether a host is a name without a domain, as Docker gives to services."""
    if not host or "." in host or host == "localhost":
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return True
    return False
