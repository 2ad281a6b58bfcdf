"""A running process has other variables than the files say.

## What it finds
- An API or a worker that runs with a value that `.env` does not have: a variable of its environment wins, or it was
  started before the line was changed.
- API and worker that run with different values of what they must agree on: an address, a model, a dimension, a key.

## Why it hurts
The file says one thing and the process does another. The API enqueues on one server, the worker listens on the other;
a setting that was corrected has no effect until the process starts again, and then perhaps none either.

## How it is told from its look-alikes
The environment of the process itself is read, as far as this user may see it, and only for variables that the files set
or the code reads. The same place seen from two sides (`localhost`, a service's name) is no difference. What a process
reads from `.env` by itself is not in its environment, and is not compared. Differences among the files are ENV003.

## How to fix
Start the process again, from a shell or a unit that does not set the variable.

## False positives
Two workers that serve two queues on purpose.
"""

from collections.abc import Iterator

from doctor.api import (
    CONNECTION_VARIABLE,
    Environment,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    NotApplicableError,
    Observation,
    Process,
    Resource,
    Role,
    Severity,
    Source,
    Variables,
    VariableSetting,
    check,
    counted,
    settings_agree,
    shown_setting,
    variables,
)

KINDS = ("api", "worker")


@check("ENV005", "process-environment-differs", severity=Severity.WARNING, tags=["live"])
def process_environment_differs(
    environment: Environment, source: Source | None = None
) -> Iterator[Finding | Observation]:
    """Compare each running process with the files, and the API with the worker."""
    found = variables(environment, source)
    names = sorted({*found.settings, *found.reads})
    processes = [process for process in environment.processes() if process.kind in KINDS]
    if not processes:
        raise NotApplicableError("no API and no worker of this target runs here")
    running = [setting for process in processes for setting in _of(environment, process, names)]
    differences = 0
    for name in names:
        own = [setting for setting in running if setting.name == name]
        for finding in (*_against_files(own, found), *_among(own, found)):
            differences += 1
            yield finding
    if not differences:
        compared = counted(len({one.name for one in running}), "variable")
        yield Observation(f"{compared} of running processes compared")


def _of(environment: Environment, process: Process, names: list[str]) -> list[VariableSetting]:
    values = environment.variables_of(process, names)
    return [VariableSetting(name, value, f"pid {process.pid}", process.kind) for name, value in values.items()]


def _against_files(own: list[VariableSetting], found: Variables) -> Iterator[Finding]:
    if not own:
        return
    lines = [setting for setting in found.settings.get(own[0].name, ()) if setting.path and not setting.service][-1:]
    other = [setting for setting in own if lines and not settings_agree([*lines, setting], found.services)]
    if other:
        who = ", ".join(dict.fromkeys(f"{one.service} ({one.origin})" for one in other[:3]))
        symptom = f"`{own[0].name}` is another one in {who} than in {lines[0].origin}"
        yield _finding([*lines, *other], "the process was started with another value, which wins", symptom, "file")


def _among(own: list[VariableSetting], found: Variables) -> Iterator[Finding]:
    if len({one.service for one in own}) < 2 or not CONNECTION_VARIABLE.search(own[0].name):
        return
    if not settings_agree(own, found.services):
        symptom = f"API and worker run with different values of `{own[0].name}`"
        yield _finding(own, "they were started with different environments", symptom, "processes")


def _finding(settings: list[VariableSetting], cause: str, symptom: str, subject: str) -> Finding:
    first = settings[0]
    return Finding(
        code="ENV005",
        resource=Resource("variable", first.name, first.path, first.line),
        symptom=symptom,
        cause=cause,
        severity=Severity.WARNING,
        role=Role.ADVICE,
        subject=subject,
        impacts=("parts of one application work with different values",),
        evidence=tuple(
            Evidence(
                EvidenceKind.CONFIG if one.path else EvidenceKind.PROCESS,
                f"{one.origin}{f' ({one.service})' if one.service else ''}",
                f"{one.name}={shown_setting(one)}",
            )
            for one in settings[:4]
        ),
        fixes=(FixOption.by_hand("start the process again without the variable", "what starts it is not known here"),),
        validation="doctor check --select ENV005",
    )
