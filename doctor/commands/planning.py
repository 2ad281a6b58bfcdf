"""What `doctor fix` would change in the source, planned and not made: for formats that show changes beside findings."""

from __future__ import annotations

from doctor.commands.output import registry
from doctor.fix import Phase
from doctor.fixing import Policy, Repairer, candidates
from doctor.journal import Journal
from doctor.model import Repair, Run
from doctor.record import RunStore
from doctor.target import Target


async def plan_source_changes(target: Target, run: Run) -> tuple[Repair, ...]:
    """Plan the repairs of a run that change files of the source, on an open target."""
    wanted = [each for each in candidates(run, registry().fixes) if each.fix.phase is Phase.SOURCE]
    if not wanted:
        return ()
    journal = Journal(RunStore(target.root).folder / run.id / "journal.jsonl")  # a preview writes no step
    policy = Policy(decide=lambda _candidate, _plan: False, preview_only=True)
    return tuple(await Repairer(target, journal, registry().checks, policy).repair(wanted, ()))
