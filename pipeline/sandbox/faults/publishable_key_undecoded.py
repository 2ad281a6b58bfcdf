"""The instance's host is cut out of the publishable key, which is base64 and holds it undecoded.

The host that comes out is the name of no machine: no signing key is ever fetched, and no token can be verified. Where
nobody has to have a token, nothing is seen at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor.pipeline.sandbox.code_edit import exchange, take_back
from doctor.pipeline.sandbox.fault import Expectation, Fault

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

FILE = "publishable_key.py"
RIGHT = """\
    try:
        text = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise ValueError("what follows the prefix of a publishable key is base64, and this is not") from None
    host = text.removesuffix("$")
    if host == text or "." not in host or "/" in host:
        raise ValueError("this publishable key is cut off: it does not end with the host of an instance")
    return f"{'http' if is_this_machine(host) else 'https'}://{host}"
"""
# A name that is reserved for never existing: the sandbox asks nobody beyond this machine (RFC 6761, 6.4).
WRONG = """\
    return f"https://{encoded.split('.')[0]}.clerk.invalid"
"""
EDITS = [(RIGHT, WRONG)]


def _break(sandbox: Sandbox) -> None:
    exchange(sandbox.layout.app / FILE, EDITS)


def _heal(sandbox: Sandbox) -> None:
    take_back(sandbox.layout.app / FILE, EDITS)


FAULT = Fault(
    name="publishable-key-undecoded",
    case="C14",
    title="The host is cut out of the publishable key instead of decoded",
    description=__doc__ or "",
    expected=Expectation(roots=("AUT003",)),
    break_=_break,
    heal=_heal,
    touches=("publishable_key.py",),
    edits_code=True,
)
