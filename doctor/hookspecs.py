"""The extension points. A plugin is a distribution with an entry point in the group ``doctor``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from doctor.check import Check
    from doctor.fix import Fix
    from doctor.known_signature import KnownSignature
    from doctor.report import LogReport, Report

hookspec = pluggy.HookspecMarker("doctor")
hookimpl = pluggy.HookimplMarker("doctor")


class DoctorHooks:
    """What a plugin can add."""

    @hookspec
    def doctor_checks(self) -> Sequence[Check]:
        """Return checks."""
        raise AssertionError  # pragma: no cover - a specification, never called

    @hookspec
    def doctor_fixes(self) -> Sequence[Fix]:
        """Return fixes."""
        raise AssertionError  # pragma: no cover

    @hookspec
    def doctor_reports(self) -> Sequence[Report]:
        """Return output formats."""
        raise AssertionError  # pragma: no cover

    @hookspec
    def doctor_signatures(self) -> Sequence[KnownSignature]:
        """Return lines of logs that are known."""
        raise AssertionError  # pragma: no cover

    @hookspec
    def doctor_log_reports(self) -> Sequence[LogReport]:
        """Return output formats for what logs tell."""
        raise AssertionError  # pragma: no cover
