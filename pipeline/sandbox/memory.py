"""What a fault changed and how it was before, in the sandbox's folder: healing needs nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from doctor.pipeline.sandbox.files import read_json, replace_text

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox


def remember(sandbox: Sandbox, fault: str, values: dict[str, Any]) -> None:
    """Write down what a fault needs to heal; it may hold passwords of the sandbox, so only its owner can read it."""
    sandbox.layout.faults.mkdir(parents=True, exist_ok=True)
    path = sandbox.layout.faults / f"{fault}.json"
    replace_text(path, json.dumps(values, indent=2, default=str) + "\n", mode=0o600)


def recall(sandbox: Sandbox, fault: str) -> dict[str, Any]:
    """Return what was written down; empty when nothing was."""
    return read_json(sandbox.layout.faults / f"{fault}.json") or {}


def forget(sandbox: Sandbox, fault: str) -> None:
    """Remove what was written down."""
    (sandbox.layout.faults / f"{fault}.json").unlink(missing_ok=True)
