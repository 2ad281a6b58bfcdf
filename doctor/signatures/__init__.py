"""The lines that are known from the start, by subsystem: one file each. Every module here is found by itself."""

import importlib
import pkgutil
from collections.abc import Sequence

from doctor.api import KnownSignature, hookimpl


@hookimpl
def doctor_signatures() -> Sequence[KnownSignature]:
    """Return the signatures of this folder: each module's ``SIGNATURES``."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return [one for name in names for one in importlib.import_module(f"{__name__}.{name}").SIGNATURES]
