"""Follows the calls of a handler: what becomes of the exception that it catches."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from doctor.source.facts import Handler, Outcome
from doctor.source.module_facts import GuardedCall, RawHandler
from doctor.source.resolve import Resolver

CALL_DEPTH = 3
"""How many calls deep the doings of a handler are followed."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Tells what handlers do, the functions that they call included."""

    resolver: Resolver

    def handler(self, call: GuardedCall, path: str) -> Handler | None:
        """Return the handler at which an exception ends, or the outermost of those that raise it again."""
        found: Handler | None = None
        for raw in call.handlers:
            found = Handler(raw.line, raw.caught, self._outcome(raw, path, call), raw.log)
            if found.outcome is not Outcome.RAISES:
                break
        return found

    def _outcome(self, raw: RawHandler, path: str, call: GuardedCall) -> Outcome:
        if raw.outcome is not Outcome.LOGS_ONLY:
            return raw.outcome
        if any(name == call.target or name.startswith(f"{call.target}.") for name in raw.calls):
            return Outcome.UNKNOWN  # it does the work itself, or sends it in another way
        return self._of_calls(raw.calls, path, call.function, CALL_DEPTH)

    def _of_calls(self, names: Iterable[str], path: str, scope: str, depth: int) -> Outcome:
        """Follow calls; what cannot be followed may well record the failure."""
        outcome = Outcome.LOGS_ONLY
        for name in names:
            symbol = self.resolver.resolve(name, path, scope)
            function = self.resolver.function(symbol)
            if function is None or symbol is None or depth == 0:
                outcome = Outcome.UNKNOWN
                continue
            if function.raises:
                return Outcome.RAISES
            if function.writes:
                return Outcome.RECORDS
            inner = self._of_calls(function.calls, symbol.path, symbol.name, depth - 1)
            if inner in (Outcome.RAISES, Outcome.RECORDS):
                return inner
            if inner is Outcome.UNKNOWN:
                outcome = inner
        return outcome
