"""What becomes of a repair: kept when the check is silent, taken back when not, and never half told.

The fixes are made for these tests; target, journal, writers and checks are the real ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from doctor.check import Check
from doctor.fix import Fix, FixContext, FixError, NothingToDoError, Phase, Plan, Writers
from doctor.fixing import Candidate, Policy, Repairer
from doctor.journal import Journal, in_reverse
from doctor.model import Applicability, Finding, FixOption, Repair, RepairStatus, Resource, Severity
from doctor.target import Target
from tests.example_runs import finding

FILE = "app.py"
SICK = b"state = 'sick'\n"
WELL = b"state = 'well'\n"
WORSE = b"state = 'worse'\n"


def sick(path: Path) -> Check:
    """A check that finds everything but WELL in the file."""

    def detect() -> Iterator[Finding]:
        if path.read_bytes() != WELL:
            yield found()

    return Check("TSK900", "is-sick", "", Severity.ERROR, frozenset({"static"}), (), 5.0, detect, "")


def found() -> Finding:
    option = FixOption("writes", "write the file", Applicability.SAFE, "a test", recommended=True)
    return finding("TSK900", Resource("file", FILE), fixes=(option,))


def write(writers: Writers, content: bytes) -> None:
    writers.source.replace(Path(FILE), Path(FILE).read_bytes(), content)


def writing(
    *contents: bytes, then: Exception | None = None, phase: Phase = Phase.CONFIGURATION, incremental: bool = False
) -> Fix:
    """A fix that writes these contents, one after the other, and then fails or not."""

    async def plan(_context: FixContext) -> Plan:
        return Plan("write the file", "the diff", (FILE,))

    async def apply(_context: FixContext, _plan: Plan, writers: Writers) -> str:
        for content in contents:
            write(writers, content)
        if then is not None:
            raise then
        return "written"

    return Fix("writes", "", phase, (), True, plan, apply, incremental=incremental)


class Patient:
    """One target and what is done to it."""

    def __init__(self, root: Path) -> None:
        self.file = root / FILE
        self.file.write_bytes(SICK)
        self.target = Target.at(root)
        self.journal = Journal(root / "journal.jsonl")

    async def repair(self, *fixes: Fix, blocking: tuple[str, ...] = (), **policy: Callable[..., Any]) -> list[Repair]:
        chosen = [Candidate(found(), found().fixes[0], fix) for fix in fixes]
        rules = Policy(**{"decide": lambda _candidate, _plan: True, **policy})  # type: ignore[arg-type]
        async with self.target:
            repairer = Repairer(self.target, self.journal, {"TSK900": sick(self.file)}, rules)
            return await repairer.repair(chosen, blocking)


@pytest.fixture
def patient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Patient:
    monkeypatch.chdir(tmp_path)
    return Patient(tmp_path)


async def test_a_repair_after_which_the_check_is_silent_is_verified(patient: Patient):
    (repair,) = await patient.repair(writing(WELL))
    assert (repair.status, repair.outcome) == (RepairStatus.VERIFIED, "written")
    assert patient.file.read_bytes() == WELL
    assert len(list(in_reverse(patient.journal.entries()))) == 1


async def test_each_repair_says_when_it_began(patient: Patient):
    times = iter((datetime(2026, 11, 20, 19, 45, tzinfo=UTC), datetime(2026, 11, 20, 19, 46, tzinfo=UTC)))
    first, second = await patient.repair(writing(WELL), writing(WELL), now=lambda: next(times))
    assert first.started_at is not None
    assert second.started_at is not None
    assert (first.started_at.minute, second.started_at.minute) == (45, 46)


async def test_a_repair_that_does_not_help_is_taken_back(patient: Patient):
    (repair,) = await patient.repair(writing(WORSE))
    assert (repair.status, repair.outcome) == (RepairStatus.ROLLED_BACK, "written; TSK900 still finds it")
    assert patient.file.read_bytes() == SICK
    assert list(in_reverse(patient.journal.entries())) == []


async def test_a_repair_that_fails_half_way_is_taken_back(patient: Patient):
    (repair,) = await patient.repair(writing(WORSE, WELL, then=FixError("the disk is full")))
    assert (repair.status, repair.outcome) == (RepairStatus.ROLLED_BACK, "the disk is full")
    assert patient.file.read_bytes() == SICK


async def test_only_the_repair_that_failed_is_taken_back(patient: Patient):
    first, second = await patient.repair(writing(WELL), writing(WORSE))
    assert (first.status, second.status) == (RepairStatus.VERIFIED, RepairStatus.ROLLED_BACK)
    assert patient.file.read_bytes() == WELL


async def test_what_an_incremental_repair_has_done_is_kept(patient: Patient):
    (repair,) = await patient.repair(writing(WORSE, then=FixError("stopped"), incremental=True))
    assert (repair.status, repair.outcome) == (RepairStatus.PARTIAL, "stopped")
    assert patient.file.read_bytes() == WORSE


async def test_a_repair_that_cannot_be_taken_back_says_so(patient: Patient):
    async def apply(_context: FixContext, _plan: Plan, writers: Writers) -> str:
        writers.source.replace(patient.file, SICK, WORSE)
        patient.file.write_bytes(b"somebody was here\n")
        raise FixError("the disk is full")

    stubborn = writing()
    (repair,) = await patient.repair(Fix("writes", "", stubborn.phase, (), True, stubborn.plan, apply))
    assert repair.status is RepairStatus.PARTIAL
    assert repair.outcome.startswith("the disk is full; not rolled back: ")
    assert repair.outcome.endswith("`doctor undo` tries again")
    assert patient.file.read_bytes() == b"somebody was here\n"
    assert len(list(in_reverse(patient.journal.entries()))) == 1


async def test_what_is_refused_or_not_needed_is_not_written(patient: Patient):
    def planning(error: FixError) -> Fix:
        async def plan(_context: FixContext) -> Plan:
            raise error

        return Fix("writes", "", Phase.DATA, (), True, plan, writing(WELL).apply)

    repairs = await patient.repair(planning(NothingToDoError("all is well")), planning(FixError("not like this")))
    assert [(repair.status, repair.outcome) for repair in repairs] == [
        (RepairStatus.UNCHANGED, "all is well"),
        (RepairStatus.REFUSED, "not like this"),
    ]
    assert patient.file.read_bytes() == SICK


async def test_a_no_leaves_the_plan(patient: Patient):
    (repair,) = await patient.repair(writing(WELL), decide=lambda _candidate, _plan: False)
    assert (repair.status, repair.preview) == (RepairStatus.PLANNED, "the diff")
    assert patient.file.read_bytes() == SICK


async def test_nothing_is_requeued_while_a_cause_stands(patient: Patient):
    requeue = writing(WELL, phase=Phase.REQUEUE)
    _, refused = await patient.repair(writing(WORSE), requeue, blocking=(found().fingerprint,))
    assert refused.status is RepairStatus.REFUSED
    assert "a cause further up is not repaired yet" in refused.outcome
    _, requeued = await patient.repair(writing(WELL), requeue, blocking=(found().fingerprint,))
    assert requeued.status is RepairStatus.VERIFIED


async def test_after_a_stop_nothing_more_is_planned(patient: Patient):
    answers: list[bool] = []

    def decide(_candidate: Candidate, _plan: Plan) -> bool:
        answers.append(False)
        return False

    repairs = await patient.repair(writing(WELL), writing(WELL), decide=decide, stopped=lambda: bool(answers))
    assert [repair.status for repair in repairs] == [RepairStatus.PLANNED]
