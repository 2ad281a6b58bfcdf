"""Arguments for `%s` are given to loguru, which formats with `{}`, so the values are never written.

## What it finds
A call such as `logger.warning("model not found: %s", name)` where `logger` is loguru's:

    from loguru import logger

    logger.warning("model not found: %s", model_name)

## Why it hurts
The line in the log reads `model not found: %s`. The one fact that was needed, the model's name, is lost, and no error
says so.

## How it is told from its look-alikes
Only loguru's own `logger` counts, also after `.bind(…)` and `.opt(…)`. The standard library's `logging` formats with
`%s` rightly, also where its logger bears the same name: as a parameter, in another function, or where loguru is
missing. A message without arguments, or one that has `{}` too, is silent.

## How to fix
Write `{}` for each placeholder. `doctor fix` does it where every placeholder is a plain `%s` or `%d` and their number
is that of the arguments; widths, names and `%%` are left to you.

## False positives
A sink or a patched logger that applies the `%` operator itself.
"""

from collections import Counter
from collections.abc import Iterator

from doctor.api import (
    Applicability,
    Evidence,
    EvidenceKind,
    Example,
    Finding,
    FixOption,
    Resource,
    Role,
    Severity,
    Source,
    check,
)
from doctor.source.collectors.log_arguments import COLLECTOR, LostArguments

_LOST = """\
from loguru import logger


def load(model_name: str) -> None:
    logger.bind(model=model_name).warning("model %s not found after %d tries", model_name, 3)
"""
_BY_LEVEL = """\
from loguru import logger


def load(model_name: str) -> None:
    logger.log("WARNING", "model not found: %s", model_name)
    logger.info("model not found: \\x25s", model_name)
"""
_STANDARD = """\
import logging

from loguru import logger as structured

logger = logging.getLogger(__name__)


def load(model_name: str) -> None:
    logger.warning("model not found: %s", model_name)
    structured.info("at 100%s")
    structured.warning("model not found: {}", model_name)
    structured.log("WARNING", "at 100%s")
    structured.bind(name="%s").info(model_name, model_name)
"""
_SAME_NAME = """\
import logging

logger = logging.getLogger(__name__)


def configure(path: str) -> None:
    from loguru import logger

    logger.add(path)


def load(model_name: str) -> None:
    logger.warning("model not found: %s", model_name)
"""


@check(
    "LOG001",
    "printf-args-to-loguru",
    severity=Severity.WARNING,
    tags=["static"],
    bad=[
        Example("the model's name is never written", {"app/models.py": _LOST}),
        Example("the level is an argument, and a placeholder in disguise", {"app/models.py": _BY_LEVEL}),
    ],
    good=[
        Example("the standard library's logger, and loguru's own form", {"app/models.py": _STANDARD}),
        Example("loguru's logger is imported in another function", {"app/models.py": _SAME_NAME}),
    ],
)
def printf_arguments_to_loguru(source: Source) -> Iterator[Finding]:
    """Take over what the collector found, one finding a call."""
    seen: Counter[tuple[str, str, str]] = Counter()
    for lost in source.collected(COLLECTOR):
        same = (lost.path, lost.function, lost.text)
        seen[same] += 1
        yield _finding(lost, seen[same])


def _finding(lost: LostArguments, number: int) -> Finding:
    """``number`` tells lines of one function that read the same from one another."""
    return Finding(
        code="LOG001",
        resource=Resource("code", f"{lost.path}:{lost.function}", lost.path, lost.line),
        subject=f"{lost.text} #{number}",
        symptom=f"{lost.arguments} argument{'s' if lost.arguments > 1 else ''} of a log line in `{lost.function}` "
        f"never appear{'' if lost.arguments > 1 else 's'} in the log",
        cause="loguru formats with `{}` and leaves `%s` as it is",
        severity=Severity.WARNING,
        role=Role.AMPLIFIER,
        impacts=("the log has lost the values that a diagnosis needs",),
        evidence=(Evidence(EvidenceKind.CODE, f"{lost.path}:{lost.line}", lost.text),),
        rule="loguru: messages are formatted with str.format",
        fixes=(_option(lost),),
        validation="doctor check --select LOG001",
    )


def _option(lost: LostArguments) -> FixOption:
    if not lost.plain:
        return FixOption.by_hand(
            f"write the message in {lost.path}:{lost.line} with {{}} in place of %", "its placeholders are not plain"
        )
    return FixOption(
        fix="loguru-arguments",
        title=f"write {{}} in place of % in {lost.path}:{lost.line}",
        applicability=Applicability.SAFE,
        reason="the message keeps its words, and gains its values",
        arguments={"path": lost.path, "line": lost.line, "text": lost.text},
        recommended=True,
    )
