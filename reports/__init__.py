"""The built-in output formats: one file each. Every module of this folder is found by itself."""

import importlib
import pkgutil
from collections.abc import Sequence

from doctor.api import Report, hookimpl


@hookimpl
def doctor_reports() -> Sequence[Report]:
    """Return the formats of this folder: each module's ``REPORT``."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    return [module.REPORT for module in modules if hasattr(module, "REPORT")]
