"""What the acts of ``doctor demo`` have in common: a sandbox, steps that must hold, and a report at the end."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from doctor.commands.examination import Selection, examine, joined_with_logs
from doctor.commands.fix import repair_target, with_after
from doctor.commands.output import Output, format_named, registry, write_file
from doctor.commands.sandbox import UP_DEADLINE
from doctor.commands.verify import new_canaries, verify_target
from doctor.fixing import Policy
from doctor.model import Applicability, RepairStatus, Run
from doctor.record import RunStore
from doctor.target import Target
from doctor.verdict import ExitCode, exit_code, status_sentence

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

MESSAGES = 15
CHAT = -1001
SAVED_DEADLINE = 30.0
"""Seconds until the 15 messages must be saved."""


class StepFailedError(Exception):
    """A step of the story did not hold; the message says what was expected and what was seen."""


class Story(ABC):
    """One act, told to ``output``; with ``keep`` its sandbox stays."""

    def __init__(self, output: Output, *, keep: bool) -> None:
        self.output = output
        self.keep = keep
        self.started = time.monotonic()

    @abstractmethod
    def tell(self, report: Path) -> None:
        """Tell it from the first process to the last; ``report`` is where a report would go.

        Raises:
            StepFailedError: when a step did not hold.
        """

    @contextmanager
    def sandbox(self, name: str, *, auth: bool = False) -> Iterator[Sandbox]:
        """Bring a sandbox up for the length of a block, and longer when it is to be kept."""
        from doctor.pipeline.sandbox.binaries import require_packages
        from doctor.pipeline.sandbox.sandbox import Sandbox

        require_packages()
        folder = Path(".doctor/sandboxes") if self.keep else Path(tempfile.mkdtemp(prefix="doctor-demo-"))
        sandbox = Sandbox.create(folder / f"{name}-{int(time.time())}", name=name, auth=auth)
        try:
            sandbox.up(with_parent=not self.keep, deadline=UP_DEADLINE, progress=self.say)
            yield sandbox
        finally:
            if not self.keep:
                sandbox.down(keep_data=False)
                shutil.rmtree(folder)

    def step(self, title: str) -> None:
        """Open a step."""
        self.output.write(f"\n━━ {title}\n\n")

    def say(self, text: str) -> None:
        """Add a line to the step."""
        self.output.write(f"  {text}\n")

    def show(self, run: Run) -> None:
        """Show a run as the terminal would."""
        self.output.write(registry().reports["text"].render(run, self.output.presentation()))
        self.output.write("\n")

    def expect(self, holds: bool, text: str) -> None:
        """Go on when a step held.

        Raises:
            StepFailedError: when it did not.
        """
        if not holds:
            raise StepFailedError(text)
        self.say(f"✓ {text}")
        sys.stdout.flush()


class ReportedStory(Story):
    """An act whose end is a report."""

    @abstractmethod
    def play(self, sandbox: Sandbox) -> Run:
        """Break what the act is about, diagnose, repair and prove; returns the run that the report is made of.

        Raises:
            StepFailedError: when a step did not hold.
        """

    def tell(self, report: Path) -> None:
        """Tell it from the first process to the report.

        Raises:
            StepFailedError: when a step did not hold.
        """
        self.step("A real pipeline on this machine: PostgreSQL, NATS, an API, a worker; the model server is a stand-in")
        with self.sandbox("demo") as sandbox:
            self.write_reports(self.play(sandbox), report)
        self.end(sandbox, report)

    def recovery(self, sandbox: Sandbox) -> Run:
        """Repair, prove, and check again."""
        self.step("doctor fix --yes")
        policy = Policy(lambda candidate, _plan: candidate.option.applicability is Applicability.SAFE)
        run = asyncio.run(repair_target(Target.at(sandbox.directory), policy))
        self.show(run)
        for repair in run.repairs:
            self.expect(
                repair.status is RepairStatus.VERIFIED, f"{repair.code} {repair.fix} {repair.status}: {repair.outcome}"
            )
        self.step("doctor verify: 15 canaries through the same webhook")
        target = Target.at(sandbox.directory)
        proof = asyncio.run(
            verify_target(target, new_canaries(MESSAGES), deadline=60.0, keep=False, output=self.output)
        )
        self.expect(proof.passed, f"every stage is proved ({proof.reason})")
        self.step("doctor check, once more")
        again = examine(Target.at(sandbox.directory), Selection(), self.output)
        self.show(again)
        self.expect(exit_code(again) is ExitCode.OK, f"the last check passes: {status_sentence(again)}")
        run = with_after(replace(run, verification=proof), again)
        run = joined_with_logs(run, [str(sandbox.layout.logs)], sandbox.directory, self.say)
        RunStore(sandbox.directory).save(run)
        return run

    def watch_nothing(self, sandbox: Sandbox) -> None:
        """Wait until all messages are saved, and look at what came of them: nothing."""
        deadline = time.monotonic() + SAVED_DEADLINE
        saved = scored = 0
        with sandbox.connect() as connection:
            while saved < MESSAGES and time.monotonic() < deadline:
                row = connection.execute(
                    "SELECT count(*), count(importance_score) FROM messages WHERE chat_id = %s", [CHAT]
                ).fetchone()
                saved, scored = (int(str(value)) for value in row or (0, 0))
        self.expect(saved == MESSAGES, f"{saved} of {MESSAGES} answered 200 and saved")
        self.expect(scored == 0, f"{scored} scored, and no error anywhere")

    def write_reports(self, run: Run, report: Path) -> None:
        """Write the report and the run record."""
        from doctor.record import redacted_json

        chosen = registry().reports[format_named(report, "markdown")]
        write_file(report, chosen.render(run, self.output.presentation(to_file=True)))
        write_file(report.with_suffix(".json"), redacted_json(run))

    def end(self, sandbox: Sandbox, report: Path) -> None:
        """Say where everything is."""
        self.step(f"Done in {time.monotonic() - self.started:.0f} s")
        self.say(f"the report: {report}     the run record: {report.with_suffix('.json')}")
        if self.keep:
            self.say(f"the sandbox still runs: doctor check {sandbox.directory}")
            self.say(f"take the repairs back:  doctor undo --path {sandbox.directory}")
            self.say(f"stop it:                doctor sandbox down {sandbox.directory.name}")
