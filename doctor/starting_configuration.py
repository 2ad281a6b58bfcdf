"""The ``doctor.toml`` that `doctor init` writes: every line is either true of the project or a comment."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import PurePosixPath

from doctor.redaction import printable
from doctor.surroundings import Step, Surroundings

_HEAD = """\
# Configuration of doctor, written by `doctor init` from what stands here. `doctor config show` says what is in force
# and where it comes from; `doctor config schema` has every key. Lines that begin with # are not in force.

# fail_on = "error"            # lowest severity that makes the exit code 1: critical, error, warning, info, never
# ignore = ["AUT"]             # codes or prefixes that nobody asks for here
# only_new = true              # leave out what .doctor-baseline.json knows: doctor baseline create
"""

_PROFILES = """
# What replaces the values above with `--profile NAME` or DOCTOR_PROFILE=NAME.
[profile.ci]
offline = true                 # the source alone: no service is asked
"""

_SUPPRESSIONS = """
# A severity of your own, and findings that are accepted, with the reason and an end.
# [severity]
# VEC001 = "warning"
#
# [[ignored]]
# code = "EMB001"
# resource = "column:public.tmp_*"
# reason = "temporary tables are never searched"
# owner = "@data"
# until = 2027-06-30
"""

_USUAL = {
    "database_env": "DATABASE_URL",
    "nats_env": "NATS_URL",
    "ollama_env": "OLLAMA_HOST",
    "api_env": "API_URL",
    "embedding_model_env": "OLLAMA_EMBEDDING_MODEL",
}


def starting_configuration(name: str, found: Surroundings) -> str:
    """Return the text of the file for a target of this name."""
    parts = [_HEAD, "".join(_target(name, found)), _PROFILES, _SUPPRESSIONS, "".join(_chain(found))]
    return "".join(part for part in parts if part)


def _target(name: str, found: Surroundings) -> Iterator[str]:
    yield "\n[target]\n"
    yield f"name = {_string(name)}  # a write beyond this machine must repeat it: --target\n"
    yield "# Names of the variables that hold the addresses; the addresses themselves are never written here.\n"
    for key, usual in _USUAL.items():
        named = found.variables.get(key, {})
        if named:
            place = ", ".join(f"{one} is in {origin}" for one, origin in named.items())
            yield f"{key} = [{', '.join(map(_string, named))}]  # {_comment(place)}\n"
        else:
            yield f'# {key} = ["{usual}"]  # not found: what needs it is skipped\n'
    if found.compose:
        yield f"# {_comment(found.compose)} has the services {_comment(', '.join(found.services))}\n"
    for note in found.notes:
        yield f"# not looked at: {_comment(note)}\n"


def _chain(found: Surroundings) -> Iterator[str]:
    """Draw the chain as the source shows it, for a person to complete: no source says which column tells that a stage
    is done."""
    yield "\n# The chain: with it doctor follows rows from stage to stage. Take the marks away, put your columns in.\n"
    if not found.steps:
        yield "# No route was found from which tasks follow; pipeline/doctor.toml of doctor itself is an example.\n"
    entry = found.entry if found.entry.split(" ")[0] in ("POST", "PUT", "PATCH") else "POST /webhook"
    table = next((table for step in found.steps for table in step.tables), "messages")
    yield "#\n# [chain]\n"
    yield f"# entry = {_string(entry)}  # how messages come in, below API_URL\n"
    yield f"# message_table = {_string(table)}\n"
    tables = found.dead_letter_tables or ("failed_tasks",)
    yield f"# failed_tasks_table = {_string(tables[0])}  # dead letters\n"
    for number, step in enumerate(found.steps):
        yield from _stage(step, first=number == 0, found=found)
    for column in found.vectors:
        yield f"#\n# # From which text is the vector column {_comment(column.name)} made?\n"
        yield "# [[embeddings]]\n"
        yield f"# table = {_string(column.table_name)}\n# column = {_string(column.column)}\n"
        yield '# text = ["title", "content"]\n'


def _stage(step: Step, *, first: bool, found: Surroundings) -> Iterator[str]:
    module, _, function = step.task.rpartition(".")
    vectors = {PurePosixPath(column.table).name: column.column for column in found.vectors}
    table = step.tables[0] if step.tables else "messages"
    column = vectors.get(table.rpartition(".")[2], "…") if "embed" in function else "id" if first else "…"
    yield "#\n# [[chain.stage]]\n"
    yield f"# name = {_string(function.removesuffix('_task'))}\n"
    yield f"# task = {_string(f'{module}:{function}' if module else function)}\n"
    yield f"# table = {_string(table)}\n"
    yield f"# column = {_string(column)}  # not NULL once the stage is done\n"


def _string(text: str) -> str:
    """Return a TOML string; JSON's escapes are TOML's too."""
    return json.dumps(printable(text), ensure_ascii=False)


def _comment(text: str) -> str:
    """Return text that cannot leave its comment."""
    return " ".join(printable(text).split())
