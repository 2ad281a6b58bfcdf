"""One variable has several values, and which one counts depends on who asks.

## What it finds
- two lines of one file that give a variable different values: the first never counts;
- a variable of the process environment that shadows another value in `.env`;
- two services of the compose file, built from this code, that are given different values of what they must agree on (an
  address, a model, a dimension, a key);
- different defaults of one variable in different modules, while nothing sets it.

## Why it hurts
The API writes into one database and the worker reads from another; a line that was corrected has no effect. Each part
works by itself, and no log says so.

## How it is told from its look-alikes
The same place seen from two sides is no contradiction: `db:5432` inside the network, `localhost:5433` outside of it.
What each service or module may have for itself (`LOG_LEVEL`, `WORKERS`, `APP_NAME`) is left alone, and so is `${…}`,
which takes the value from elsewhere. Defaults of models are MOD003. Values are compared, and shown only where they are
no secret.

## How to fix
Keep one line. Let the services share it: `env_file`, or a block that both merge.

## False positives
Two services that are meant to differ. A shell in which a variable was set for this one run.
"""

import re
from collections.abc import Iterator

from doctor.api import (
    CONNECTION_VARIABLE,
    Environment,
    EnvironmentRead,
    Evidence,
    EvidenceKind,
    Example,
    Finding,
    FixOption,
    Resource,
    Role,
    Severity,
    Source,
    Variables,
    VariableSetting,
    check,
    settings_agree,
    shown_setting,
    variables,
)

OWN = re.compile(
    r"(?:^|_)(?:LOG|LOGLEVEL|LEVEL|VERBOSE|VERBOSITY|WORKERS?|THREADS?|CONCURRENCY|TIMEOUT|RETRIES|PORT)(?:_|$)"
    r"|(?:APP|APPLICATION|SERVICE|LOGGER)_NAME$",
    re.IGNORECASE,
)
"""Variables for which each module may have a default of its own."""

OFF = frozenset({"0", "false", "no", "off", "n", "f"})
ON = frozenset({"1", "true", "yes", "on", "y", "t"})

_READS = 'import os\n\nURL = os.getenv("NATS_URL", "{default}")\n'
_SERVICE = "  {name}:\n    build: .\n    environment:\n      NATS_URL: {value}\n"
_PYTHON = {"app/settings.py": _READS.format(default="nats://localhost:4222")}


def _compose(**values: str) -> dict[str, str]:
    services = "".join(_SERVICE.format(name=name, value=value) for name, value in values.items())
    return {"compose.yaml": f"services:\n  nats:\n    image: nats\n{services}", **_PYTHON}


@check(
    "ENV003",
    "variable-contradictory",
    severity=Severity.WARNING,
    tags=["static"],
    bad=[
        Example("two lines of one file", {".env": "NATS_URL=nats://one:4222\nNATS_URL=nats://two:4222\n", **_PYTHON}),
        Example("API and worker disagree", _compose(api="nats://nats:4222", worker="nats://old.example:4222")),
        Example(
            "two defaults",
            {
                "app/api.py": _READS.format(default="nats://a:4222"),
                "app/worker.py": _READS.format(default="nats://b:4222"),
            },
        ),
    ],
    good=[
        Example("from two sides", {".env": "NATS_URL=nats://localhost:4333\n", **_compose(api="nats://nats:4222")}),
        Example("API and worker agree", _compose(api="nats://nats:4222", worker="nats://nats:4222")),
        Example(
            "one switch in two spellings",
            {
                "app/api.py": 'import os\n\nDEBUG = os.getenv("APP_DEBUG", "0")\n',
                "app/worker.py": 'import os\n\nDEBUG = os.getenv("APP_DEBUG", "false")\n',
            },
        ),
        Example(
            "each module has its own",
            {
                "app/api.py": 'import os\n\nLEVEL = os.getenv("LOG_LEVEL", "INFO")\n',
                "app/worker.py": 'import os\n\nLEVEL = os.getenv("LOG_LEVEL", "ERROR")\n',
            },
        ),
        Example(
            "one place", {".env": "NATS_URL=nats://one:4222\n", **_compose(api="${NATS_URL}", worker="${NATS_URL}")}
        ),
    ],
)
def variable_contradictory(source: Source, environment: Environment) -> Iterator[Finding]:
    """Compare the values of each variable in pairs that must agree."""
    found = variables(environment, source)
    for name in sorted({*found.settings, *found.reads}):
        settings = found.settings.get(name, ())
        yield from _within_files(settings, found)
        yield from _shadowed(settings, found)
        yield from _between_services(settings, found)
        if not settings and "MODEL" not in name.upper() and not OWN.search(name):
            yield from _defaults(name, [read for read in found.reads[name] if read.default and not read.apart])


def _within_files(settings: tuple[VariableSetting, ...], found: Variables) -> Iterator[Finding]:
    for path in dict.fromkeys(setting.path for setting in settings if setting.path and not setting.service):
        lines = [setting for setting in settings if setting.path == path and not setting.service]
        if not settings_agree(lines, found.services):
            last = f"line {lines[-1].line} counts"
            yield _finding(
                lines, "set twice in one file", f"`{lines[0].name}` is set {len(lines)} times in {path}: {last}"
            )


def _shadowed(settings: tuple[VariableSetting, ...], found: Variables) -> Iterator[Finding]:
    lines = [setting for setting in settings if setting.path and not setting.service][-1:]
    above = [setting for setting in settings if not setting.path]
    if lines and above and not settings_agree([*lines, *above], found.services):
        symptom = f"`{lines[0].name}` of {lines[0].origin} is shadowed by the process environment"
        yield _finding([*lines, *above], "the process environment wins over .env", symptom)


def _between_services(settings: tuple[VariableSetting, ...], found: Variables) -> Iterator[Finding]:
    last = {setting.service: setting for setting in settings if setting.service}
    if len(last) > 1 and CONNECTION_VARIABLE.search(next(iter(last.values())).name):
        given = list(last.values())
        if not settings_agree(given, found.services):
            names = " and ".join(f"`{setting.service}`" for setting in given)
            yield _finding(given, "each service has its own value", f"{names} disagree on `{given[0].name}`")


def _finding(settings: list[VariableSetting], cause: str, symptom: str) -> Finding:
    last = settings[-1] if settings[-1].path else settings[0]
    return Finding(
        code="ENV003",
        resource=Resource("variable", last.name, last.path, last.line),
        symptom=symptom,
        cause=cause,
        severity=Severity.WARNING,
        role=Role.ADVICE,
        subject=cause,
        impacts=("which value counts depends on who asks",),
        evidence=tuple(
            Evidence(EvidenceKind.CONFIG, setting.origin, f"{setting.name}={shown_setting(setting)}")
            for setting in settings
        ),
        fixes=(FixOption.by_hand(f"keep one value of `{last.name}`", "which one is meant is known to you alone"),),
        validation="doctor check --select ENV003",
    )


def _value(text: str) -> str:
    """Return what a default stands for: a switch is written in several ways."""
    lowered = text.strip().casefold()
    return "off" if lowered in OFF else "on" if lowered in ON else text.strip()


def _defaults(name: str, reads: list[EnvironmentRead]) -> Iterator[Finding]:
    if len({_value(read.default or "") for read in reads}) < 2 or len({read.path for read in reads}) < 2:
        return
    places = ", ".join(f"{read.path}:{read.line}" for read in reads[:3])
    yield Finding(
        code="ENV003",
        resource=Resource("variable", name, reads[0].path, reads[0].line),
        symptom=f"`{name}` is set nowhere and has different defaults: {places}",
        cause="each module holds a default of its own",
        severity=Severity.WARNING,
        role=Role.ADVICE,
        subject="defaults",
        impacts=("parts of one program work with different values",),
        evidence=tuple(Evidence(EvidenceKind.CODE, f"{read.path}:{read.line}", read.text) for read in reads[:4]),
        fixes=(FixOption.by_hand("keep one default, in one place", "which one is meant is known to you alone"),),
        validation="doctor check --select ENV003",
    )
