"""A variable that the code cannot do without is set nowhere.

## What it finds
A variable of the environment that is read without a default (`os.environ["X"]`, a field of pydantic settings, `config`
of decouple), and that neither `.env`, nor a compose file, nor the process environment sets. Where something of nearly
the same name is set and read by nobody, that is named. An error where it is read at the start or misspelt; where only a
function reads it or makes the settings, which may belong to a feature that nobody uses, a warning.

## Why it hurts
The program ends when it gets there: at its start, or with the first request that needs it.

## How it is told from its look-alikes
A read with a default may be unset. So may one under a condition (`if`, `or`, `match`), one whose `KeyError` is caught,
and one whose file asks whether the variable is there. What the code sets itself, and what the operating system or a
platform sets (`HOME`, `KUBERNETES_…`), is set. Tests, scripts and examples are programs of their own. Without a `.env`
or a compose file nothing shows what the program is started with, and the check does not apply.

## How to fix
Set it where the finding says the others are set, or correct the name that is nearly the same.

## False positives
A variable that another place sets: a secret store, a unit of systemd, the console of a cloud.
"""

import re
from collections.abc import Iterator
from difflib import get_close_matches

from doctor.api import (
    Environment,
    EnvironmentRead,
    Evidence,
    EvidenceKind,
    Example,
    Finding,
    FixOption,
    NotApplicableError,
    Observation,
    Resource,
    Severity,
    Source,
    Variables,
    check,
    variables,
)

FROM_ELSEWHERE = re.compile(
    r"(?:APPDATA|COMPUTERNAME|HOME|HOMEPATH|HOSTNAME|LANG|LOCALAPPDATA|LOGNAME|PATH|PROGRAMDATA|PROGRAMFILES|PWD|SHELL"
    r"|SYSTEMROOT|TEMP|TMP|TMPDIR|TZ|USER|USERNAME|USERPROFILE|WINDIR|(?:https?|no|all)_proxy)"
    r"|(?:AWS_LAMBDA|GITHUB|GITLAB|KUBERNETES|SLURM|XDG)_\w+",
    re.IGNORECASE,
)
"""Variables that nobody writes into a `.env`: an operating system sets them, or the platform that runs a program."""

CLOSE = 0.85
"""Share of equal characters (difflib) from which on a name counts as misspelt."""

_READS = 'import os\n\nURL = os.environ["DATABASE_URL"]\n'
_IN_A_FUNCTION = """\
import os


def token() -> str:
    return os.environ["BOT_TOKEN"]
"""
_CONDITIONS = """\
import os

LIMIT = int(os.environ["LIMIT"]) if os.getenv("LIMIT") else 10
if "PROXY" in os.environ and os.environ["PROXY"] == "on":
    PROXY = os.environ["PROXY"]
os.environ["TOKENIZERS"] = "false"
TOKENIZERS = os.environ["TOKENIZERS"]
CACHE = os.environ["HOME"] + "/.cache"


def client(provider: str, key: str | None = None) -> str:
    if provider == "mistral":
        return os.environ["MISTRAL_KEY"]
    try:
        return key or os.environ["OPENAI_KEY"]
    except KeyError:
        return ""


def region() -> str:
    try:
        return os.environ["REGION"]
    except KeyError:
        return "eu"
"""
_NESTED = """\
from pydantic import BaseModel
from pydantic_settings import BaseSettings


class Features(BaseModel):
    search: bool = True


class Settings(BaseSettings):
    features: Features
"""
_SETTINGS = """\
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="APP_")

    embedding_model: str
    threshold: int = 10
"""


@check(
    "ENV001",
    "variable-missing",
    severity=Severity.ERROR,
    tags=["static"],
    bad=[
        Example("it is nowhere", {"app/db.py": _READS, ".env": "NATS_URL=nats://localhost\n"}),
        Example("a function reads it", {"app/bot.py": _IN_A_FUNCTION, ".env": "NATS_URL=nats://localhost\n"}),
        Example("it is misspelt", {"app/settings.py": _SETTINGS, ".env": "APP_EMBEDING_MODEL=nomic-embed-text\n"}),
    ],
    good=[
        Example(".env sets it", {"app/db.py": _READS, ".env": "DATABASE_URL=postgresql://localhost/x\n"}),
        Example(
            "a compose file sets it",
            {
                "app/db.py": _READS,
                "compose.yaml": "services:\n  api:\n    build: .\n    environment:\n      DATABASE_URL: postgresql://db/x\n",
            },
        ),
        Example(
            "Docker takes it from its own environment",
            {
                "app/db.py": _READS,
                "compose.yaml": "services:\n  api:\n    build: .\n    environment: [DATABASE_URL]\n",
            },
        ),
        Example("it has a default", {"app/db.py": 'import os\n\nURL = os.getenv("X", "y")\n', ".env": "A=b\n"}),
        Example("it may be absent, or is set elsewhere", {"app/models.py": _CONDITIONS, ".env": "A=b\n"}),
        Example("a part of the settings is of another class", {"app/settings.py": _NESTED, ".env": "A=b\n"}),
        Example("a test reads it", {"tests/test_db.py": _READS, ".env": "A=b\n"}),
    ],
)
def variable_missing(source: Source, environment: Environment) -> Iterator[Finding | Observation]:
    """Compare what must be set with what is."""
    found = variables(environment, source)
    if not found.has_files:
        raise NotApplicableError("no .env and no compose file shows what the program is started with")
    missing = 0
    for name, reads in found.reads.items():
        required = [read for read in reads if read.required and not read.apart]
        is_set = name in found.settings or name in found.passed or FROM_ELSEWHERE.fullmatch(name)
        if required and not is_set:
            missing += 1
            yield _finding(name, required, found)
    if not missing:
        yield Observation(f"{len(found.reads)} variables read, {len(found.settings)} set")


def _finding(name: str, reads: list[EnvironmentRead], found: Variables) -> Finding:
    first = min(reads, key=lambda read: not read.at_start)
    unread = [other for other in found.settings if other not in found.reads]
    near = get_close_matches(name, unread, n=1, cutoff=CLOSE)
    where = found.settings[near[0]][-1].origin if near else ""
    return Finding(
        code="ENV001",
        resource=Resource("variable", name, first.path, first.line),
        symptom=f"`{name}` is read without a default and set nowhere",
        cause=f"{where} sets `{near[0]}`, which nothing reads"
        if near
        else "no .env, compose file or environment sets it",
        severity=Severity.ERROR if first.at_start or near else Severity.WARNING,
        impacts=("the program ends at its start",) if first.at_start else ("each call that reads the variable fails",),
        evidence=tuple(Evidence(EvidenceKind.CODE, f"{read.path}:{read.line}", read.text) for read in reads[:3]),
        rule="a variable without a default must be set",
        fixes=(
            FixOption.by_hand(
                f"correct the name in {where}" if near else f"set `{name}`", "its value is known to you alone"
            ),
        ),
        validation="doctor check --select ENV001",
    )
