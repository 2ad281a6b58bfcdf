"""A target whose models are examined, and what the tests ask of the run."""

from __future__ import annotations

import json
from collections.abc import Callable

from doctor.diagnosis import diagnose
from doctor.model import CheckResult
from doctor.pipeline.sandbox.hugging_face import world
from doctor.pipeline.sandbox.models.application import HUGGING_FACE
from doctor.record import plain

CHAT = "openai/gpt-oss-120b"
NOBODYS = "hf_nobodysToken000000000000000000"
PLANTED = "sk-planted0000000000000000000001"


class Seen:
    """What the checks of models said, all run together as in ``doctor check``."""

    def __init__(self, results: tuple[CheckResult, ...]) -> None:
        self.results = {result.code: result for result in results}
        self.text = json.dumps([plain(result) for result in results])

    @property
    def codes(self) -> set[str]:
        return {code for code, result in self.results.items() if result.findings}

    @property
    def ruled_out(self) -> str:
        found = diagnose(tuple(self.results.values()), (), None).ruled_out
        return "\n".join(f"{each.hypothesis}: {each.evidence}" for each in found)

    def symptom(self, code: str) -> str:
        return " | ".join(finding.symptom for finding in self.results[code].findings)


Look = Callable[..., Seen]
"""Runs all checks of models; keywords are variables of the environment."""


def hugging_face(models_url: str, token: str | None = world.GOOD_TOKEN) -> dict[str, str]:
    return {"HF_ENDPOINT": f"{models_url}{HUGGING_FACE}", **({} if token is None else {"HF_TOKEN": token})}
