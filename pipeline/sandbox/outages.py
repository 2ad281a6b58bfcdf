"""What is simply away: a server or a process that is stopped, or hangs with its port open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from doctor.pipeline.sandbox.fault import Expectation

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox


@dataclass(frozen=True, slots=True)
class Outage:
    """One ``service`` is away, and ``code`` is what must be named; ``frozen`` ones still accept connections."""

    service: str
    code: str
    frozen: bool = False

    @property
    def name(self) -> str:
        """Its name among the rounds of a drill."""
        return f"{self.service}-{'frozen' if self.frozen else 'down'}"

    @property
    def expected(self) -> Expectation:
        """What a diagnosis must show."""
        return Expectation(roots=(self.code,))

    def begin(self, sandbox: Sandbox) -> None:
        """Stop or freeze the service."""
        (sandbox.pause if self.frozen else sandbox.stop)(self.service)


_CODES = {"postgres": "PGS001", "nats": "NAT001", "models": "MOD002", "api": "APP001", "worker": "WRK001"}

OUTAGES = {
    outage.name: outage
    for frozen in (False, True)
    for service, code in _CODES.items()
    for outage in (Outage(service, code, frozen),)
}
"""Every service, down and frozen."""
