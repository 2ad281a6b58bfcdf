"""A proof is put where its report is looked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from doctor.commands.verify import append_to_run
from doctor.model import RepairStatus, Run, Verification
from doctor.record import RunStore
from doctor.target import Target
from tests.example_runs import healthy, repaired_run, run_of, three_in_series

PROOF = Verification("canary-fedcba9876", 15, (), True, None, "every stage proved")


def proved(folder: Path, *runs: Run) -> list[int]:
    """Record these runs, append a proof, and return which of them have it."""
    store = RunStore(folder)
    for number, run in enumerate(runs):
        store.save(replace(run, id=f"run-{number}", verification=None))
    append_to_run(Target.at(folder), PROOF)
    return [number for number in range(len(runs)) if store.load(f"run-{number}").verification == PROOF]


@pytest.fixture
def undone() -> Run:
    run = repaired_run()
    return replace(run, repairs=tuple(replace(repair, status=RepairStatus.UNDONE) for repair in run.repairs))


def test_a_proof_belongs_to_the_repairs_that_it_proves(tmp_path: Path):
    assert proved(tmp_path, run_of(three_in_series()), repaired_run(), run_of(healthy())) == [1]


def test_a_cause_found_since_is_a_story_of_its_own(tmp_path: Path):
    assert proved(tmp_path, repaired_run(), run_of(three_in_series())) == [1]


def test_repairs_that_were_taken_back_are_proved_by_nothing(tmp_path: Path, undone: Run):
    assert proved(tmp_path, undone, run_of(healthy())) == [1]


def test_without_any_run_a_proof_stands_alone(tmp_path: Path):
    assert proved(tmp_path) == []
