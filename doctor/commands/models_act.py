"""The second act of ``doctor demo``: models that seem to be away (casebook C10 and C15)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from doctor.commands.examination import Selection, examine
from doctor.commands.story import CHAT, MESSAGES, SAVED_DEADLINE, ReportedStory
from doctor.model import CheckResult, Run, Status
from doctor.target import Target

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

ELSEWHERE, STALE = "wrong-vantage", "base-url-stale"
COUNT = "SELECT count(importance_score), count(topic_id) FROM messages WHERE chat_id = %s"
RULED_OUT = ("down", "model missing", "key refused")
"""Look-alikes that the check must refute before it blames the base URL."""


class ModelsAct(ReportedStory):
    """From where one looks, and which 404 it is."""

    def play(self, sandbox: Sandbox) -> Run:
        """Look from the wrong place first, then ask every model under a wrong path."""
        self.from_elsewhere(sandbox)
        return self.all_not_found(sandbox)

    def from_elsewhere(self, sandbox: Sandbox) -> None:
        """A name that only containers know is no outage."""
        self.step("From a laptop: OLLAMA_HOST=http://ollama:11434, a name of the compose network")
        sandbox.break_(ELSEWHERE)
        self.say(f"broken: {ELSEWHERE}")
        run = examine(Target.at(sandbox.directory), Selection(select=("MOD",)), self.output)
        self.show(run)
        found = _result(run, "MOD002")
        self.expect(not found.findings, "no outage is claimed")
        self.expect(found.status is Status.UNKNOWN, f"the verdict: {found.reason}")
        sandbox.heal(ELSEWHERE)
        again = examine(Target.at(sandbox.directory), Selection(select=("MOD002",)), self.output)
        self.expect(_result(again, "MOD002").status is Status.PASS, "through the published port the server answers")

    def all_not_found(self, sandbox: Sandbox) -> Run:
        """Every model is not found, and it is not the models."""
        self.step("Every model is `not found`: the primary one, and its fallback")
        sandbox.break_(STALE)
        self.say(f"broken: {STALE}")
        sandbox.send_messages(MESSAGES, CHAT)
        self.watch_unassigned(sandbox)
        self.step("doctor check")
        run = examine(Target.at(sandbox.directory), Selection(), self.output)
        self.show(run)
        roots = tuple(root.code for root in run.diagnosis.roots)
        self.expect(roots == ("MOD005",), f"one root cause: {', '.join(roots) or 'none'}")
        refuted = " ".join(each.hypothesis for each in run.diagnosis.ruled_out)
        self.expect(all(each in refuted for each in RULED_OUT), f"ruled out: {', '.join(RULED_OUT)}")
        return self.recovery(sandbox)

    def watch_unassigned(self, sandbox: Sandbox) -> None:
        """Wait until all messages are scored, and look at what came of them: no topic."""
        scored = assigned = 0
        deadline = time.monotonic() + SAVED_DEADLINE
        with sandbox.connect() as connection:
            while scored < MESSAGES and time.monotonic() < deadline:
                row = connection.execute(COUNT, [CHAT]).fetchone()
                scored, assigned = (int(str(value)) for value in row or (0, 0))
        self.expect(scored == MESSAGES, f"{scored} of {MESSAGES} answered 200, saved and scored")
        self.expect(assigned == 0, f"{assigned} have a topic")


def _result(run: Run, code: str) -> CheckResult:
    return next(result for result in run.before if result.code == code)
