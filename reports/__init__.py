"""The built-in output formats: one file each. Every module of this folder is found by itself."""

import importlib
import pkgutil
from collections.abc import Sequence
from typing import Any

from doctor.api import LogReport, Report, hookimpl


@hookimpl
def doctor_reports() -> Sequence[Report]:
    """Return the formats of this folder: each module's ``REPORT``."""
    return [module.REPORT for module in _modules() if hasattr(module, "REPORT")]


@hookimpl
def doctor_log_reports() -> Sequence[LogReport]:
    """Return the formats for what logs tell: each module's ``LOG_REPORT``."""
    return [module.LOG_REPORT for module in _modules() if hasattr(module, "LOG_REPORT")]


def _modules() -> list[Any]:
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return [importlib.import_module(f"{__name__}.{name}") for name in names]
