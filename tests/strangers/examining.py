"""What every check of the source says of a folder."""

from __future__ import annotations

import asyncio
from pathlib import Path

from doctor.commands.examination import Selection, choose, examine_open
from doctor.commands.output import registry
from doctor.model import Run
from doctor.target import Target


def check_source(root: Path) -> Run:
    """Run every check of the source, as ``doctor check --offline`` does."""
    selection = Selection(offline=True)

    async def work() -> Run:
        async with Target.at(root, keeps_facts=False) as target:
            return await examine_open(target, choose(list(registry().checks.values()), selection, target))

    return asyncio.run(work())


def codes(run: Run) -> set[str]:
    """Return the codes of all that is found."""
    return {one.code for one in run.findings}
