"""Which line of the source writes which line of a log: every call of a logger, with the text that it writes.

A template is kept as its literal parts, ``("Queueing ", " atoms")`` for ``Queueing {} atoms``,
whatever way of filling in the call uses. It is read only for logs: no check asks for it.
"""

from __future__ import annotations

import ast
import string
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from doctor.source.call_kinds import LEVELS, CallKind, call_kind
from doctor.source.collector import Collector, Module
from doctor.source.discover import stamped_files
from doctor.source.expressions import dotted
from doctor.source.module_names import ModuleNames
from doctor.source.printf import PLACEHOLDER
from doctor.source.reader import Need, Reader, Seen

ALTERNATIVES = 8
"""Texts of one call that are told apart, where it chooses between some."""

Parts = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LogCallSite:
    """One call. ``parts`` are the literals between what is filled in: one part alone is a text without any.

    ``lost``: the call gives arguments in a form that its logger does not fill in, so that the placeholders are written
    as they stand.
    """

    path: str
    module: str
    function: str
    line: int
    end_line: int
    level: str
    parts: Parts
    lost: bool = False

    @property
    def template(self) -> str:
        """The text with ``{}`` for what is filled in."""
        return "{}".join(self.parts)


def read_log_calls(root: Path) -> tuple[LogCallSite, ...]:
    """Return the log calls of the Python files under ``root``, in the order of files and lines."""
    stamps = stamped_files(root)
    reader = Reader(root, ModuleNames(root, stamps), (COLLECTOR,), hashes=False)
    try:
        seen = reader.glance(stamps)
        wanted = [path for path, one in seen.items() if isinstance(one, Seen) and one.glance.wanted]
        facts = reader.facts({path: Need(collected=(COLLECTOR.name,)) for path in wanted})
    finally:
        reader.newer.close()
    return tuple(site for path in wanted for site in (facts[path].collected or {}).get(COLLECTOR.name, ()))


def _collect(module: Module) -> Iterator[LogCallSite]:
    constants = _constants(module.tree)
    for node in module.nodes:
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr not in LEVELS:
            continue
        if call_kind(dotted(node.func)) is not CallKind.LOG or not node.args:
            continue
        message, *arguments = node.args[1:] if node.func.attr == "log" and len(node.args) > 1 else node.args
        level = dotted(node.args[0]).rpartition(".")[2].lower() if node.func.attr == "log" else node.func.attr
        is_loguru = _is_loguru(node.func.value, module)
        has_arguments = bool(arguments) or (is_loguru and bool(node.keywords))
        function = module.enclosing(node.lineno)
        for parts in _texts(message, constants):
            filled, lost = _filled(parts, has_arguments, is_loguru=is_loguru)
            place = (module.path, module.name, function, node.lineno, node.end_lineno or node.lineno)
            yield LogCallSite(*place, level, filled, lost)


def _is_loguru(node: ast.expr, module: Module) -> bool:
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):  # logger.bind(…).opt(…)
        node = node.func.value
    return module.origin(node) == "loguru.logger"


def _constants(tree: ast.Module) -> dict[str, str]:
    """Return the texts that have a name in the module."""
    found = {}
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant):
            for target in statement.targets:
                if isinstance(target, ast.Name) and isinstance(statement.value.value, str):
                    found[target.id] = statement.value.value
    return found


def _texts(node: ast.expr, constants: dict[str, str]) -> list[Parts]:
    """Return the texts that an expression may have; ``("", "")`` for anything."""
    if isinstance(node, ast.Constant):
        return [(node.value,)] if isinstance(node.value, str) else [("", "")]
    if isinstance(node, ast.Name) and node.id in constants:
        return [(constants[node.id],)]
    if isinstance(node, ast.JoinedStr):
        return [_joined([(str(one.value),) if isinstance(one, ast.Constant) else ("", "") for one in node.values])]
    if isinstance(node, ast.IfExp):
        return (_texts(node.body, constants) + _texts(node.orelse, constants))[:ALTERNATIVES]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        pairs = product(_texts(node.left, constants), _texts(node.right, constants))
        return [_joined(pair) for pair in pairs][:ALTERNATIVES]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        return [_formatted(parts, _printf) for parts in _texts(node.left, constants)]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        return [_formatted(parts, _braces) for parts in _texts(node.func.value, constants)]
    return [("", "")]


def _joined(pieces: Sequence[Parts]) -> Parts:
    """Put texts behind one another."""
    parts = [""]
    for piece in pieces:
        parts[-1] += piece[0]
        parts.extend(piece[1:])
    return tuple(parts)


def _formatted(parts: Parts, form: Callable[[str], Parts]) -> Parts:
    """Return the parts after formatting: what was filled in already stays."""
    pieces: list[Parts] = []
    for part in parts:
        pieces += [("", ""), form(part)] if pieces else [form(part)]
    return _joined(pieces)


def _filled(parts: Parts, has_arguments: bool, *, is_loguru: bool) -> tuple[Parts, bool]:
    """Return what the logger makes of a text that is given arguments, and whether it loses them."""
    if not has_arguments:
        return parts, False
    braces, printf = _formatted(parts, _braces), _formatted(parts, _printf)
    if is_loguru:
        return braces, len(braces) == len(parts) and len(printf) > len(parts)
    return printf, False


def _printf(text: str) -> Parts:
    """Return what the ``%`` operator leaves of a text."""
    pieces = text.replace("%%", "\0")
    parts, end = [], 0
    for match in PLACEHOLDER.finditer(pieces):
        parts.append(pieces[end : match.start()])
        end = match.end()
    return tuple(part.replace("\0", "%") for part in (*parts, pieces[end:]))


def _braces(text: str) -> Parts:
    """Return what ``str.format`` leaves of a text."""
    parts = [""]
    try:
        for literal, name, _, _ in string.Formatter().parse(text):
            parts[-1] += literal
            if name is not None:
                parts.append("")
    except ValueError:  # no template
        return (text,)
    return tuple(parts)


_LITERALS = tuple(f".{level}(".encode() for level in sorted(LEVELS))

COLLECTOR = Collector("log-calls", 1, _LITERALS, _collect)
