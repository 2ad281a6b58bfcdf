"""What a call is for, told by its name: logging, formatting, writing, or something else.

Only used to decide whether an exception leaves more behind than a log line. Where in doubt a call is *other*, which
keeps a check silent.
"""

from __future__ import annotations

import ast
import re
from enum import Enum, auto

from doctor.source.expressions import dotted, text_of
from doctor.source.facts import LogCall


class CallKind(Enum):
    """What a call is for."""

    LOG = auto()
    PURE = auto()
    """Formats, converts or reads; leaves nothing behind."""
    WRITE = auto()
    """Puts something where it stays: a row, a message, an entry."""
    EXIT = auto()
    OTHER = auto()


LEVELS = frozenset(
    {"critical", "debug", "error", "exception", "fatal", "info", "log", "notice", "success", "trace", "warn", "warning"}
)
_LOGGER = re.compile(r"(?:^|_)(?:log|logs|logging|loguru|structlog)(?:\(\))?$|logger", re.IGNORECASE)
_SHOWN = frozenset(
    {
        "print",
        "pprint",
        "rich.print",
        "console.print",
        "click.echo",
        "click.secho",
        "typer.echo",
        "warnings.warn",
        "sys.stderr.write",
        "sys.stdout.write",
        "traceback.print_exc",
        "traceback.print_exception",
    }
)
_TELEMETRY = frozenset(
    {
        "capture_exception",
        "capture_message",
        "record_exception",
        "set_status",
        "add_event",
        "inc",
        "incr",
        "increment",
        "observe",
    }
)
_WRITES = frozenset(
    {
        "add",
        "add_all",
        "bulk_create",
        "commit",
        "create",
        "execute",
        "executemany",
        "fetchval",
        "insert",
        "insert_many",
        "insert_one",
        "lpush",
        "publish",
        "put",
        "put_nowait",
        "rpush",
        "save",
        "upsert",
        "xadd",
    }
)
_EXITS = frozenset({"sys.exit", "os._exit", "exit", "quit", "abort"})
_PURE_FUNCTIONS = frozenset(
    {
        "bool",
        "dict",
        "float",
        "format",
        "getattr",
        "hasattr",
        "int",
        "isinstance",
        "issubclass",
        "len",
        "list",
        "max",
        "min",
        "repr",
        "round",
        "set",
        "sorted",
        "str",
        "sum",
        "tuple",
        "type",
        "vars",
    }
)
_PURE_METHODS = frozenset(
    {
        "capitalize",
        "copy",
        "decode",
        "encode",
        "endswith",
        "format",
        "format_exc",
        "get",
        "hex",
        "isoformat",
        "items",
        "join",
        "keys",
        "lower",
        "lstrip",
        "model_dump",
        "monotonic",
        "now",
        "perf_counter",
        "replace",
        "rstrip",
        "split",
        "splitlines",
        "startswith",
        "strip",
        "time",
        "title",
        "total_seconds",
        "upper",
        "utcnow",
        "values",
    }
)


def call_kind(name: str) -> CallKind:
    """Tell what a call of the dotted ``name`` (as :func:`dotted` writes it) is for."""
    owner, _, last = name.rpartition(".")
    if last in LEVELS and any(_LOGGER.search(part) for part in owner.split(".")):
        return CallKind.LOG
    if name in _SHOWN or last in _TELEMETRY:
        return CallKind.LOG
    if name in _EXITS:
        return CallKind.EXIT
    if owner and last in _WRITES:
        return CallKind.WRITE
    if (not owner and name in _PURE_FUNCTIONS) or (owner and last in _PURE_METHODS):
        return CallKind.PURE
    # A class is named with a capital: an object that is only made leaves nothing behind.
    return CallKind.PURE if last[:1].isupper() else CallKind.OTHER


def log_call(call: ast.Call) -> LogCall:
    """Return a call of kind LOG as a fact."""
    level = dotted(call.func).rpartition(".")[2]
    text = next((found for argument in call.args[:2] if (found := text_of(argument)) is not None), "")
    return LogCall(level, text, call.lineno)
