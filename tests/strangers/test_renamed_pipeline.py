"""The example pipeline with no name left that says what something is for: the same is wrong with it as before."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from doctor.pipeline.sandbox.fault import all_faults
from doctor.pipeline.sandbox.sandbox import Sandbox
from tests.strangers.examining import check_source, codes
from tests.strangers.renaming import renamed

FAULTS = {
    name: fault for name, fault in all_faults().items() if fault.edits_code and "atoms.embedding" not in fault.touches
}
"""Faults in the code alone."""

TOLD_BY_NAME = {"embedding-not-queued": "embed"}
"""Whether a task embeds is told by its name, where it writes a column in plain SQL."""

LIVE = ("VEC", "WRK")
"""Families of which this knows nothing: they ask servers, too."""

OF_LIBRARIES = frozenset({"database", "errors", "main", "retry", "schema", "search", "settings"})
"""Modules whose names are those of functions and attributes that the application uses."""

COLUMN = re.compile(r"^    (\w+_\w+|embedding|content) \w", re.MULTILINE)
TABLE = re.compile(r"CREATE TABLE IF NOT EXISTS (\w+)")
TASK = re.compile(r"@broker\.task\n(?:@.*\n)*async def (\w+)")


def names_of(app: Path) -> list[str]:
    """Return the names of all modules, tasks, tables and columns."""
    schema = (app / "schema.sql").read_text()
    tasks = [name for path in app.rglob("*.py") for name in TASK.findall(path.read_text())]
    modules = {path.stem for path in app.rglob("*.py")} - OF_LIBRARIES - {"__init__"}
    return sorted({*modules, *tasks, *TABLE.findall(schema), *COLUMN.findall(schema)})


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_wrong_does_not_depend_on_names(tmp_path: Path, name: str) -> None:
    sandbox = Sandbox.create(tmp_path / "sandbox", name="renamed", environment={})
    names = names_of(sandbox.layout.app)
    assert len(names) > 60
    sandbox.break_(name)
    sandbox.layout.doctor_toml.unlink()  # what it describes is to be seen without
    before = codes(check_source(sandbox.directory))
    kept = TOLD_BY_NAME.get(name)
    others = [one for one in names if kept is None or kept not in one]
    renamed(sandbox.directory, {old: f"n{number}" for number, old in enumerate(others)})
    assert codes(check_source(sandbox.directory)) == before
    expected = FAULTS[name].expected
    known = {*expected.roots, *expected.contributing, *expected.advice}
    assert {code for code in known if not code.startswith(LIVE)} <= before
