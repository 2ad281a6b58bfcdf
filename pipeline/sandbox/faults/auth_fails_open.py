"""Signatures are checked only where a variable says so, and nobody has set it.

With nothing in the environment, whoever writes a token gets in as anybody. Every endpoint answers, so that nothing
looks wrong: neither a log line nor a test with good tokens shows it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor.pipeline.sandbox.code_edit import exchange, take_back
from doctor.pipeline.sandbox.fault import Expectation, Fault

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

FILE = "identity.py"
EDITS = [
    ("from dataclasses import dataclass\n", "import os\nfrom dataclasses import dataclass\n"),
    ('ALGORITHM = "RS256"\n', 'ALGORITHM = "RS256"\nVERIFY = os.getenv("VERIFY_TOKENS", "false") == "true"\n'),
    (
        'options={"require": REQUIRED_CLAIMS},',
        'options={"require": REQUIRED_CLAIMS, "verify_signature": VERIFY},',
    ),
]


def _break(sandbox: Sandbox) -> None:
    exchange(sandbox.layout.app / FILE, EDITS)


def _heal(sandbox: Sandbox) -> None:
    take_back(sandbox.layout.app / FILE, EDITS)


FAULT = Fault(
    name="auth-fails-open",
    case="C21",
    title="Tokens are verified only where a variable says so",
    description=__doc__ or "",
    expected=Expectation(roots=("AUT004",)),
    break_=_break,
    heal=_heal,
    touches=("identity.py",),
    edits_code=True,
)
