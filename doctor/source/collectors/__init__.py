"""The collectors that come with the doctor: each module here has one, named ``COLLECTOR``."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from doctor.source.collector import Collector


@cache
def collectors() -> tuple[Collector, ...]:
    """Return all of them, by name."""
    found = [
        importlib.import_module(f"{__name__}.{module.name}").COLLECTOR for module in pkgutil.iter_modules(__path__)
    ]
    return tuple(sorted(found, key=lambda collector: collector.name))
