"""``doctor demo --act auth``: every token is refused, for one cause behind another; the log has one sentence (C14)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from doctor.commands.examination import Selection, examine
from doctor.commands.story import Story
from doctor.model import Run
from doctor.target import Target
from doctor.verdict import ExitCode, exit_code, status_sentence

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

ENDPOINTS = ("me", "messages", "topics", "atoms", "agent_configs")
TOKEN_VARIABLE = "DEMO_SESSION_TOKEN"  # noqa: S105 - the name of a variable
REQUEST_DEADLINE = 15.0

FAULT = "publishable-key-undecoded"
LOOK_ALIKES = {
    "signing keys out of reach",
    "malformed publishable key",
    "settings of different instances",
    "misspelt issuer",
    "clock skew",
    "expired token",
    "token from the future",
    "token of another issuer",
}
"""What people suspect first, and what the examination must rule out by measuring it."""


class AuthAct(Story):
    """Tell it from the first good token to the last."""

    def tell(self, report: Path) -> None:
        """Bring a pipeline up that asks for tokens, refuse every one for two causes, and mend them one by one.

        No report is written: nothing here is repaired by the doctor.

        Raises:
            StepFailedError: when a step did not hold.
        """
        from doctor.pipeline.sandbox.sessions import misbehave

        self.step("A real pipeline that asks for session tokens; model server and identity provider are stand-ins")
        with self.sandbox("auth", auth=True) as sandbox:
            self.endpoints(sandbox, 200, "a user with a session gets in")
            self.step("Two things go wrong: in the code, and in where the keys come from")
            sandbox.break_(FAULT)
            self.say(f"broken: {FAULT}")
            misbehave(sandbox, "other-instance")
            self.say("broken: the address of the signing keys serves those of another instance")
            self.endpoints(sandbox, 503, "nobody gets in")
            self.diagnosis(sandbox)
            self.step("A person mends the code, and decodes the publishable key")
            sandbox.heal(FAULT)
            self.endpoints(sandbox, 401, "nobody gets in yet, and the log still speaks of tokens")
            self.roots(self.examined(sandbox), "AUT008")
            self.step("A person has the keys of the right instance served")
            misbehave(sandbox, "right")
            sandbox.stop("api")
            sandbox.start("api")
            self.endpoints(sandbox, 200, "a user with a session gets in")
            again = self.examined(sandbox)
            self.expect(exit_code(again) is ExitCode.OK, f"the last check passes: {status_sentence(again)}")

    def diagnosis(self, sandbox: Sandbox) -> None:
        """Both causes are named at once, the one behind the other too, and what they look like is ruled out."""
        self.step("doctor check")
        run = self.examined(sandbox)
        self.roots(run, "AUT003, AUT008")
        left = ", ".join(sorted(LOOK_ALIKES - {each.hypothesis for each in run.diagnosis.ruled_out}))
        self.expect(not left, f"{len(LOOK_ALIKES)} look-alikes are ruled out by measurement; left: {left or 'none'}")

    def endpoints(self, sandbox: Sandbox, expected: int, what: str) -> None:
        """Ask every endpoint with a new token."""
        from doctor.pipeline.sandbox.sessions import new_token

        headers = {"Authorization": f"Bearer {new_token(sandbox)}"}
        base = f"{sandbox.environment()['API_URL']}/api/v1"
        with httpx.Client(base_url=base, headers=headers, timeout=REQUEST_DEADLINE, trust_env=False) as client:
            answers = {name: client.get(f"/{name}").status_code for name in ENDPOINTS}
        seen = ", ".join(f"{name} {status}" for name, status in answers.items())
        self.expect(set(answers.values()) == {expected}, f"{what}: {seen}")

    def examined(self, sandbox: Sandbox) -> Run:
        """Examine the authentication with a new token, as `doctor check --select AUT --token-env NAME` does."""
        from doctor.pipeline.sandbox.sessions import new_token

        self.say(f"doctor check --select AUT --token-env {TOKEN_VARIABLE}\n")
        os.environ[TOKEN_VARIABLE] = new_token(sandbox)
        try:
            target = Target.at(sandbox.directory, token_env=TOKEN_VARIABLE)
            run = examine(target, Selection(select=("AUT",)), self.output)
        finally:
            del os.environ[TOKEN_VARIABLE]
        self.show(run)
        return run

    def roots(self, run: Run, expected: str) -> None:
        """Compare the root causes with those that are there."""
        roots = ", ".join(root.code for root in run.diagnosis.roots)
        self.expect(roots == expected, f"root causes: {roots or 'none'}")
