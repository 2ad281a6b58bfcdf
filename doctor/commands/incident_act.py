"""The first act of ``doctor demo``, the real incident: five things are broken, nothing comes out, no error is seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor.commands.examination import Selection, examine
from doctor.commands.story import CHAT, MESSAGES, ReportedStory
from doctor.model import Run
from doctor.target import Target

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

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


class IncidentAct(ReportedStory):
    """Casebook C1 to C7."""

    def play(self, sandbox: Sandbox) -> Run:
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
