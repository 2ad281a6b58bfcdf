"""What a check is: one file with its documentation page, its metadata and its detection.

A check module consists of a docstring (the page), one function decorated with :func:`check`, the mechanisms of which it
is the cause, and ``BAD`` and ``GOOD`` examples that serve as tests and as documentation.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from inspect import Parameter
from typing import Any, TypeAlias

from doctor.model import Finding, Mechanism, Observation, Severity

Yielded: TypeAlias = Finding | Observation
Detection: TypeAlias = Callable[..., Iterator[Yielded] | AsyncIterator[Yielded]]

RESOURCE_NAMES = frozenset(
    (
        "source",
        "database",
        "nats",
        "models",
        "examination",
        "auth",
        "application",
        "token",
        "environment",
        "chain",
        "texts",
        "queries",
    )
)
"""The parameters that a check may ask for; the runner opens what is asked for and nothing else.

A parameter with a default (``nats: Nats | None = None``) is optional: the check runs without it where it is missing.
"""

PAGE_SECTIONS = (
    "What it finds",
    "Why it hurts",
    "How it is told from its look-alikes",
    "How to fix",
    "False positives",
)
"""The headings of a check's page, in order."""

_CODE = re.compile(r"[A-Z]{3}[0-9]{3}")
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+")

AREAS = {
    "TSK": "source",
    "AGT": "agents",
    "MOD": "models",
    "EMB": "embeddings",
    "VEC": "embeddings",
    "PGS": "database",
    "NAT": "nats",
    "WRK": "worker",
    "APP": "application",
    "AUT": "auth",
    "INI": "source",
    "CHN": "chain",
    "LOG": "logs",
    "ENV": "environment",
    "DOC": "doctor",
}
"""The area under which each family of codes is shown."""


class InvalidCheckError(Exception):
    """A check's metadata is wrong; the message says what to change."""


class NotApplicableError(Exception):
    """The question does not arise on this target; the message says why. The check is skipped."""


class CouldNotTellError(Exception):
    """A part of the question has no answer; the message says which and why. What was yielded before counts."""


@dataclass(frozen=True, slots=True)
class Example:
    """Source files of a small project: path relative to its root → text. ``title`` says what it shows."""

    title: str
    files: dict[str, str]


@dataclass(frozen=True, slots=True)
class Check:
    """One check. ``timeout`` is in seconds; ``after`` are codes without whose pass the question cannot be asked.

    ``needs`` are the resources that it asks for; those in ``optional`` keep their default where the target has none or
    cannot open it. ``guards`` names the resource whose unreachability this check reports: every other check that
    cannot do without the resource is then skipped as blocked by this one.
    """

    code: str
    name: str
    summary: str
    severity: Severity
    tags: frozenset[str]
    after: tuple[str, ...]
    timeout: float
    detect: Detection
    page: str
    bad: tuple[Example, ...] = ()
    good: tuple[Example, ...] = ()
    mechanisms: tuple[Mechanism, ...] = ()
    needs: tuple[str, ...] = field(default=())
    optional: frozenset[str] = frozenset()
    guards: str | None = None

    @property
    def area(self) -> str:
        """The line of the overview on which this check is counted."""
        return AREAS.get(self.code[:3], self.code[:3].lower())


OPT_IN = "opt-in"
"""The tag of a check that runs only when its code or this tag is asked for."""


def check(
    code: str,
    name: str,
    *,
    severity: Severity,
    tags: Iterable[str],
    after: Iterable[str] = (),
    timeout: float = 5.0,
    mechanisms: Iterable[Mechanism] = (),
    bad: Iterable[Example] = (),
    good: Iterable[Example] = (),
    guards: str | None = None,
) -> Callable[[Detection], Check]:
    """Turn a detection function into a :class:`Check`; its module's docstring becomes the page.

    Raises:
        InvalidCheckError: when code, name, parameters or page break the contract.
    """

    def decorate(detect: Detection) -> Check:
        page = inspect.cleandoc(sys.modules[detect.__module__].__doc__ or "")
        summary = page.partition("\n")[0].rstrip(".")
        parameters = inspect.signature(detect).parameters
        needs = tuple(parameters)
        _validate(code, name, page, needs)
        return Check(
            code=code,
            name=name,
            summary=summary,
            severity=severity,
            tags=frozenset(tags),
            after=tuple(after),
            timeout=timeout,
            detect=detect,
            page=page,
            bad=tuple(bad),
            good=tuple(good),
            mechanisms=tuple(mechanisms),
            needs=needs,
            optional=frozenset(name for name in needs if parameters[name].default is not Parameter.empty),
            guards=guards,
        )

    return decorate


def _validate(code: str, name: str, page: str, needs: tuple[str, ...]) -> None:
    if not _CODE.fullmatch(code):
        raise InvalidCheckError(f"code {code!r}: use three capital letters and three digits, such as TSK001")
    if not _NAME.fullmatch(name):
        raise InvalidCheckError(f"{code}: name {name!r} must be kebab-case and state the problem")
    if unknown := sorted(set(needs) - RESOURCE_NAMES):
        raise InvalidCheckError(f"{code}: unknown parameter {unknown[0]!r}; choose from {sorted(RESOURCE_NAMES)}")
    positions = [page.find(f"## {section}") for section in PAGE_SECTIONS]
    if -1 in positions or positions != sorted(positions):
        raise InvalidCheckError(f"{code}: the module docstring needs the sections {', '.join(PAGE_SECTIONS)}, in order")


def checks_in(modules: Iterable[Any]) -> list[Check]:
    """Return the checks that are attributes of these modules, in the order of their codes."""
    found = {value.code: value for module in modules for value in vars(module).values() if isinstance(value, Check)}
    return [found[code] for code in sorted(found)]
