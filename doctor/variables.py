"""What sets a variable of the environment, and with which value: ``.env``, compose files, the process environment.

Values are compared; shown, and redacted before that, are only those of variables that are known to hold no secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from doctor.redaction import bounded, redact
from doctor.resources.address import is_loopback
from doctor.resources.compose_variables import ComposeFiles, read_compose
from doctor.resources.environment import PROCESS_ENVIRONMENT, Environment
from doctor.source.collectors.environment_reads import COLLECTOR, EnvironmentRead
from doctor.source.index import Source

SHOWN = 60
"""Characters of a value."""

CONNECTION = re.compile(
    r"(?:^|_)(?:URLS?|URI|DSN|HOST|HOSTS|ENDPOINT|MODEL|DIMENSIONS?|SUBJECT|STREAM|QUEUE|DATABASE|DB)(?:_|$)|_KEY$|SECRET"
    r"|TOKEN",
    re.IGNORECASE,
)
"""Variables on which the parts of one application must agree; of others (``LOG_LEVEL``) each may have its own."""


_HARMLESS = re.compile(
    r"(?:^|_)(?:URLS?|URI|DSN|HOSTS?|ENDPOINT|ADDRESS|PORT|MODEL|DIMENSIONS?|SUBJECT|STREAM|QUEUE|DATABASE|DB|LEVEL"
    r"|SECONDS|MINUTES|HOURS|DAYS|TIMEOUT|THRESHOLD|SIZE|WORKERS|DEBUG|ENV|ENVIRONMENT|REGION|VERSION)(?:_|$)",
    re.IGNORECASE,
)
"""Variables whose value may be shown once it is redacted; any other may be a password under an odd name."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One place that sets a variable. ``service`` is one of a compose file; ``origin`` is ``path:line`` or a name."""

    name: str
    value: str = field(repr=False)
    origin: str
    service: str = ""

    @property
    def path(self) -> str | None:
        """The file, or None for the process environment."""
        return self.origin.rpartition(":")[0] or None

    @property
    def line(self) -> int | None:
        """The line of the file."""
        number = self.origin.rpartition(":")[2]
        return int(number) if self.path is not None and number.isdecimal() else None


@dataclass(frozen=True, slots=True)
class Variables:
    """Everything that is set and read. ``settings`` by name, in the order in which the later ones win."""

    settings: dict[str, tuple[Setting, ...]]
    reads: dict[str, tuple[EnvironmentRead, ...]]
    services: frozenset[str]
    passed: frozenset[str]
    """Variables that a compose file hands on from elsewhere, or that the code sets: they are set, and not here."""
    has_files: bool
    """Whether there is any file that sets variables."""

    def effective(self, name: str) -> Setting | None:
        """Return the setting that a process started here would see: the process environment, else the last line."""
        found = [setting for setting in self.settings.get(name, ()) if not setting.service]
        return found[-1] if found else None


def variables(environment: Environment, source: Source | None) -> Variables:
    """Collect what sets and what reads variables."""
    compose = read_compose(environment.root)
    settings = [Setting(one.name, one.value, one.origin) for one in environment.assignments]
    settings += _of_compose(environment, compose)
    names = {setting.name for setting in settings}
    reads: dict[str, list[EnvironmentRead]] = {}
    set_by_code = set()
    for read in source.collected(COLLECTOR) if source is not None else ():
        if read.sets:
            set_by_code.add(read.name)
        else:
            reads.setdefault(read.name, []).append(read)
    for name in sorted(names | set(reads)):
        found = environment.get(name)
        if found is not None and found.origin == PROCESS_ENVIRONMENT:
            settings.append(Setting(name, found.value, PROCESS_ENVIRONMENT))
    grouped: dict[str, list[Setting]] = {}
    for setting in settings:
        grouped.setdefault(setting.name, []).append(setting)
    return Variables(
        {name: tuple(found) for name, found in grouped.items()},
        {name: tuple(found) for name, found in reads.items()},
        compose.services,
        frozenset(one.name for one in compose.variables if not one.is_literal) | set_by_code,
        bool(environment.files or compose.variables or compose.env_files),
    )


def _of_compose(environment: Environment, compose: ComposeFiles) -> list[Setting]:
    found = []
    for service, path in compose.env_files:
        file = environment.root / path
        if file.resolve() not in {one.resolve() for one in environment.files}:
            read = Environment(environment.root, files=[file], process_environment={})
            found += [Setting(one.name, one.value, one.origin, service) for one in read.assignments]
    found += [
        Setting(one.name, one.value or "", f"{one.path}:{one.line}", one.service)
        for one in compose.variables
        if one.is_literal and one.is_built
    ]
    return found


def shown(setting: Setting) -> str:
    """Return a value as it may be shown: redacted, and only of a variable that is known to hold no secret."""
    if not setting.value.strip():
        return "(empty)"
    if not _HARMLESS.search(setting.name):
        return "(not shown)"
    return bounded(redact(f"{setting.name}={setting.value}").partition("=")[2], SHOWN)


def agree(settings: Iterable[Setting], services: frozenset[str]) -> bool:
    """Tell whether all of these mean the same; a service's name and loopback are one place from two sides."""
    return len({_meaning(setting.value, services) for setting in settings}) <= 1


def _meaning(value: str, services: frozenset[str]) -> tuple[str, ...]:
    text = value.strip().strip("\"'")
    bare = "://" not in text and re.fullmatch(r"[\w.-]+:\d{2,5}", text)
    try:
        parts = urlsplit(f"//{text}" if bare else text)
        host = parts.hostname or ""
        parts.port  # noqa: B018 - raises where it is no number
    except ValueError:
        return (text,)
    if not host or not (host in services or is_loopback(host) or host == "host.docker.internal"):
        return (text,)
    # The port differs as the host does: inside the network it is the service's own, outside it is the published one.
    scheme = "" if parts.scheme == "http" else parts.scheme  # what a client takes when none is written
    return scheme, parts.username or "", parts.password or "", parts.path.rstrip("/"), parts.query
