"""The built-in fixes: one file each. Every module of this folder is found by itself; nothing is registered by hand."""

import importlib
import pkgutil
from collections.abc import Sequence

from doctor.api import Fix, fixes_in, hookimpl


@hookimpl
def doctor_fixes() -> Sequence[Fix]:
    """Return the fixes of this folder, in the order of their phases."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return fixes_in(importlib.import_module(f"{__name__}.{name}") for name in names)
