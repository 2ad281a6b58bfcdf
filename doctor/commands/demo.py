"""``doctor demo``: the whole story on one machine, told step by step. Exit code 0 only if every step held."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from doctor.commands.examination import Selection, examine
from doctor.commands.fix import repair_target, with_after
from doctor.commands.options import presentation_options
from doctor.commands.output import Output, registry, write_file
from doctor.commands.sandbox import UP_DEADLINE, sandbox_errors
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
FAULTS = (
    "null-embeddings",
    "decorator-order",
    "agent-config-inactive",
    "model-not-available",
    "enqueue-error-swallowed",
)
ROOTS = ("TSK001", "AGT001", "MOD001")
"""The root causes that the check must name, in this order (casebook C1, C2, C3)."""

LEFT_OVER = {"EMB001"}
CONTRIBUTING = {"TSK002"}
SAVED_DEADLINE = 30.0
"""Seconds until the 15 messages must be saved."""


class StepFailedError(Exception):
    """A step of the story did not hold; the message says what was expected and what was seen."""


@click.command("demo")
@click.option("--keep", is_flag=True, help="Leave the sandbox running afterwards.")
@click.option(
    "-o",
    "--report",
    "report",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("RCA.md"),
    help="Where the root-cause report goes (RCA.md); the run record goes beside it.",
)
@presentation_options
def demo_command(keep: bool, report: Path, output: Output) -> int:
    """Run the real incident: 15 messages go in, nothing comes out, no error anywhere. Then diagnose, repair and prove.

    Everything is real but the language model, which is a stand-in that speaks Ollama's protocol. Nothing leaves this
    machine, and nothing is left running.

    \b
    Exit codes: 0 every step held   1 a step did not
    """
    story = _Story(output, keep=keep)
    with sandbox_errors(), _termination_as_interrupt():
        try:
            story.tell(report)
        except StepFailedError as error:
            output.write(f"\n  ✗ {error}\n")
            return int(ExitCode.FINDINGS)
    return int(ExitCode.OK)


@contextmanager
def _termination_as_interrupt() -> Iterator[None]:
    """Let SIGTERM end the demo as Ctrl-C does, so that the sandbox is taken down."""

    def interrupt(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _Story:
    def __init__(self, output: Output, *, keep: bool) -> None:
        self.output = output
        self.keep = keep
        self.started = time.monotonic()

    def tell(self, report: Path) -> None:
        """Tell it from the first process to the report.

        Raises:
            StepFailedError: when a step did not hold.
        """
        from doctor.pipeline.sandbox.binaries import require_packages
        from doctor.pipeline.sandbox.sandbox import Sandbox

        require_packages()
        self.step("A real pipeline on this machine: PostgreSQL, NATS, an API, a worker; the model server is a stand-in")
        folder = Path(".doctor/sandboxes") if self.keep else Path(tempfile.mkdtemp(prefix="doctor-demo-"))
        sandbox = Sandbox.create(folder / f"demo-{int(time.time())}", name="demo")
        try:
            sandbox.up(with_parent=not self.keep, deadline=UP_DEADLINE, progress=self.say)
            run = self.incident(sandbox)
            self.write_reports(run, report)
        finally:
            if not self.keep:
                sandbox.down(keep_data=False)
                shutil.rmtree(folder)
        self.end(sandbox, report)

    def incident(self, sandbox: Sandbox) -> Run:
        """Break it, watch nothing happen, and call the doctor."""
        self.step("Five things go wrong, as they did in the real incident")
        history = sandbox.add_history()
        self.say(f"history: {history.messages} messages and {history.atoms} atoms without vectors, older than a day")
        for fault in FAULTS:
            sandbox.break_(fault)
            self.say(f"broken: {fault}")
        self.step(f"{MESSAGES} messages go in")
        sandbox.send_messages(MESSAGES, CHAT)
        self.watch_nothing(sandbox)
        self.step("doctor check")
        run = examine(Target.at(sandbox.directory), Selection(), self.output)
        self.show(run)
        self.expect_diagnosis(run)
        return self.recovery(sandbox)

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
        run = with_after(replace(run, verification=proof), again.before)
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

    def expect_diagnosis(self, run: Run) -> None:
        """Compare with what is known to be broken."""
        roots = tuple(root.code for root in run.diagnosis.roots)
        self.expect(roots == ROOTS, f"root causes in chain order: {', '.join(roots) or 'none'}")
        left_over = {run.finding(fingerprint).code for fingerprint in run.diagnosis.left_over}
        self.expect(left_over == LEFT_OVER, f"told apart as left over: {', '.join(sorted(left_over)) or 'nothing'}")
        contributing = {run.finding(fingerprint).code for fingerprint in run.diagnosis.contributing}
        self.expect(
            contributing == CONTRIBUTING, f"what made it silent: {', '.join(sorted(contributing)) or 'nothing'}"
        )

    def write_reports(self, run: Run, report: Path) -> None:
        """Write the report and the run record."""
        from doctor.record import redacted_json

        presentation = self.output.presentation(to_file=True)
        write_file(report, registry().reports["markdown"].render(run, presentation))
        write_file(report.with_suffix(".json"), redacted_json(run))

    def end(self, sandbox: Sandbox, report: Path) -> None:
        """Say where everything is."""
        self.step(f"Done in {time.monotonic() - self.started:.0f} s")
        self.say(f"the report: {report}     the run record: {report.with_suffix('.json')}")
        if self.keep:
            self.say(f"the sandbox still runs: doctor check {sandbox.directory}")
            self.say(f"take the repairs back:  doctor undo --path {sandbox.directory}")
            self.say(f"stop it:                doctor sandbox down {sandbox.directory.name}")

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
