"""The built-in checks: one file each. Every module of this folder is found by itself; nothing is registered by hand."""

import importlib
import pkgutil
from collections.abc import Sequence

from doctor.api import Check, checks_in, hookimpl


@hookimpl
def doctor_checks() -> Sequence[Check]:
    """Return the checks of this folder, in the order of their codes."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return checks_in(importlib.import_module(f"{__name__}.{name}") for name in names)
