"""What a fault is, and where all of them are: one module each in ``faults``, found by looking there."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from doctor.pipeline.sandbox import faults
from doctor.pipeline.sandbox.errors import UnknownNameError

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox


@dataclass(frozen=True, slots=True)
class Expectation:
    """The codes that a diagnosis must show, by the part that they play in it.

    ``effects`` show only once messages have been sent, ``contributing`` is what makes things worse or silent,
    ``left_over`` is damage that stays when its cause is gone, ``advice`` what may go wrong one day, ``unknown`` are
    checks that can only say that nobody can tell.
    """

    roots: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()
    contributing: tuple[str, ...] = ()
    left_over: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to break a sandbox. Breaking twice is breaking once; healing what is not broken changes nothing.

    ``case`` is its number in the casebook; ``edits_code`` says that API and worker start again because of it.
    ``touches`` is what it changes or hides: files of the application, columns, settings. Two faults that share one of
    these cannot be told apart, nor taken back, in one sandbox.
    """

    name: str
    case: str
    title: str
    description: str
    expected: Expectation
    break_: Callable[[Sandbox], None]
    heal: Callable[[Sandbox], None]
    edits_code: bool = False
    touches: tuple[str, ...] = ()


@lru_cache(maxsize=1)
def all_faults() -> dict[str, Fault]:
    """Return every fault by name, in the order of the cases."""
    found = [
        importlib.import_module(f"{faults.__name__}.{module.name}").FAULT
        for module in pkgutil.iter_modules(faults.__path__)
    ]
    return {fault.name: fault for fault in sorted(found, key=lambda fault: (int(fault.case[1:]), fault.name))}


def find_fault(name: str) -> Fault:
    """Return the fault of that name.

    Raises:
        UnknownNameError: there is none; the message lists all.
    """
    try:
        return all_faults()[name]
    except KeyError:
        raise UnknownNameError(f"there is no fault {name!r}; there are {', '.join(all_faults())}") from None
