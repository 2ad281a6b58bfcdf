"""A variable is set to nothing, and the default that the code has for it never counts.

## What it finds
A variable that is set and empty (`OLLAMA_HOST=`) where the code reads it with a default, or cannot do without it:

    HOST = os.getenv("OLLAMA_HOST", "http://localhost:11434")    # gives ""

## Why it hurts
An empty variable is a set one. `os.getenv` returns the empty text and not the default, and the error comes later, from
somewhere else: "no host given", a model without a name, a number that is none.

## How it is told from its look-alikes
`os.getenv("X") or "default"` takes the default, and so does a class of settings with `env_ignore_empty=True`. A
variable without a default that may be absent is often left empty on purpose. What wins counts: a line of `.env` that
the process environment overrides says nothing.

## How to fix
Remove the line, or write a value. In the code, `os.getenv("X") or "default"`.

## False positives
An empty text that is meant.
"""

from collections.abc import Iterator

from doctor.api import (
    Environment,
    EnvironmentRead,
    Evidence,
    EvidenceKind,
    Example,
    Finding,
    FixOption,
    Resource,
    Severity,
    Source,
    VariableSetting,
    check,
    variables,
)

_READS = 'import os\n\nHOST = os.getenv("OLLAMA_HOST", "http://localhost:11434")\n'
_SETTINGS = """\
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    model_config = SettingsConfigDict({given})

    ollama_host: str = "http://localhost:11434"
"""


@check(
    "ENV002",
    "variable-empty",
    severity=Severity.WARNING,
    tags=["static"],
    bad=[
        Example("the default never counts", {"app/models.py": _READS, ".env": "A=b\nOLLAMA_HOST=\n"}),
        Example("a class of settings", {"app/settings.py": _SETTINGS.format(given=""), ".env": "OLLAMA_HOST=\n"}),
    ],
    good=[
        Example("it has a value", {"app/models.py": _READS, ".env": "OLLAMA_HOST=http://ollama:11434\n"}),
        Example(
            "empty values are ignored",
            {"app/settings.py": _SETTINGS.format(given="env_ignore_empty=True"), ".env": "OLLAMA_HOST=\n"},
        ),
        Example(
            "`or` takes the default",
            {"app/models.py": 'import os\n\nHOST = os.getenv("OLLAMA_HOST") or "x"\n', ".env": "OLLAMA_HOST=\n"},
        ),
        Example("a later line counts", {"app/models.py": _READS, ".env": "OLLAMA_HOST=\nOLLAMA_HOST=http://ollama\n"}),
    ],
)
def variable_empty(source: Source, environment: Environment) -> Iterator[Finding]:
    """Look for empty values where the code has a default, or needs one."""
    found = variables(environment, source)
    for name, reads in found.reads.items():
        setting = found.effective(name)
        if setting is None or setting.value.strip():
            continue
        hurt = [read for read in reads if (read.default or read.required) and not (read.ignores_empty or read.apart)]
        if hurt:
            yield _finding(setting, hurt)


def _finding(setting: VariableSetting, reads: list[EnvironmentRead]) -> Finding:
    first = reads[0]
    lost = (
        f"the default of {first.path}:{first.line} never counts" if first.default else "the code cannot do without it"
    )
    return Finding(
        code="ENV002",
        resource=Resource("variable", setting.name, setting.path or first.path, setting.line or first.line),
        symptom=f"`{setting.name}` is empty in {setting.origin}: {lost}",
        cause="an empty variable counts as set",
        severity=Severity.WARNING,
        impacts=("the program works with an empty text",),
        evidence=(
            Evidence(EvidenceKind.CONFIG, setting.origin, f"{setting.name}="),
            *(Evidence(EvidenceKind.CODE, f"{read.path}:{read.line}", read.text) for read in reads[:3]),
        ),
        rule="os.getenv and pydantic-settings take an empty variable for a value",
        fixes=(
            FixOption.by_hand(f"remove the line {setting.origin}, or give it a value", "which is meant is not known"),
        ),
        validation="doctor check --select ENV002",
    )
