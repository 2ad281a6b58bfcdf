"""What undo refuses, whatever a journal says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from doctor.fix import RefusedError
from doctor.journal import FileChange, Journal
from doctor.resources.database import Database
from doctor.writers import Undo


async def no_database() -> Database:
    raise AssertionError("no step here needs a database")


async def revert(root: Path, **entry: Any) -> str | None:
    return await Undo(root, Journal(root / "journal.jsonl"), no_database).revert({"step": 0, **entry})


async def test_a_file_outside_of_the_target_is_left_alone(tmp_path: Path):
    outside, root = tmp_path / "outside.py", tmp_path / "target"
    outside.write_text("after\n")
    root.mkdir()
    (root / "link.py").symlink_to(outside)
    for path in ("../outside.py", str(outside), "link.py"):
        entry = FileChange.between(path, b"before\n", b"after\n").to_entry()
        with pytest.raises(RefusedError, match="lies outside the target"):
            await revert(root, **entry)
    assert outside.read_text() == "after\n"


async def test_a_step_without_what_it_needs_is_refused(tmp_path: Path):
    with pytest.raises(RefusedError, match="step without 'hunks'; undo leaves it alone"):
        await revert(tmp_path, kind="file", path="app.py")


async def test_a_kind_of_step_without_an_inverse_is_passed_over(tmp_path: Path):
    assert await revert(tmp_path, kind="published", task="t") is None
