"""Moves the registrar of a task above the decorator that hides it.

Whole lines move, with the comments that stand between the decorators; every other byte of the file stays as it is:
line ends, byte order mark, encoding, tabs, trailing spaces. The file is read again when the repair is planned, so
several repairs of one file follow one another. A worker that still runs the old code has to be restarted.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from doctor.api import (
    AGAIN,
    LINE,
    Fix,
    FixContext,
    NothingToDoError,
    Phase,
    Plan,
    RefusedError,
    Source,
    Writers,
    difference,
    parse_source,
    read_source,
)

if TYPE_CHECKING:
    from libcst import BaseExpression, CSTNode, FunctionDef


@dataclass(frozen=True, slots=True)
class _Decorator:
    """A decorator's name as written, without arguments, and its first and last line, from 1."""

    name: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class _Function:
    line: int
    decorators: tuple[_Decorator, ...]

    def index_of(self, name: str) -> int | None:
        """Return the place of the first decorator of this name, from the top."""
        return next((index for index, one in enumerate(self.decorators) if one.name == name), None)

    def is_wrong(self, registrar: str, above: str) -> bool:
        """Tell whether ``above`` stands above ``registrar``."""
        lower, upper = self.index_of(registrar), self.index_of(above)
        return lower is not None and upper is not None and upper < lower


async def plan(context: FixContext) -> Plan:
    """Read the file again and work out which lines move."""
    source: Source = context.resources["source"]
    arguments = {key: str(value) for key, value in context.arguments.items()}
    path, function = arguments["path"], arguments["function"]
    file = source.locate(path)
    before = read_source(file, path)
    after = swapped(before, function, arguments["registrar"], arguments["above"], int(arguments["line"]))
    return Plan(
        summary=f"move `@{arguments['registrar']}` above `@{arguments['above']}` on `{function}` in {path}",
        preview=difference(before, after, path),
        touches=(path,),
        payload=(file, before, after),
    )


async def apply(context: FixContext, plan: Plan, writers: Writers) -> str:
    """Write the file."""
    file, before, after = plan.payload
    writers.source.replace(file, before, after)
    return f"moved `@{context.arguments['registrar']}` to the top in {context.arguments['path']}"


def swapped(content: bytes, function: str, registrar: str, above: str, line: int) -> bytes:
    """Return the file with the decorator ``registrar`` of ``function`` moved directly above the decorator ``above``.

    ``function`` is a qualified name; of several definitions the wrong one nearest to ``line`` is taken.

    Raises:
        NothingToDoError: the registrar stands above already.
        RefusedError: the file does not parse, or the function or its registrar is gone.
    """
    if content.startswith(BOM_UTF8):
        return BOM_UTF8 + swapped(content.removeprefix(BOM_UTF8), function, registrar, above, line)
    definitions = _definitions(content, function)
    wrong = [one for one in definitions if one.is_wrong(registrar, above)]
    if not wrong:
        if any(one.index_of(registrar) is not None for one in definitions):
            raise NothingToDoError(f"`@{registrar}` already stands above `@{above}` on `{function}`")
        raise RefusedError(f"`{function}` with `@{registrar}` is no longer in the file; {AGAIN}")
    chosen = min(wrong, key=lambda one: abs(one.line - line))
    after = _moved(content, chosen, registrar, above)
    expected = [one.name for one in chosen.decorators]
    expected.insert(expected.index(above), expected.pop(expected.index(registrar)))
    if not any([one.name for one in again.decorators] == expected for again in _definitions(after, function)):
        raise RefusedError(f"the decorators of `{function}` cannot be moved as whole lines; swap them by hand")
    return after


def _moved(content: bytes, function: _Function, registrar: str, above: str) -> bytes:
    lower, upper = function.index_of(registrar), function.index_of(above)
    assert lower is not None
    assert upper is not None
    lines = LINE.findall(content)
    start = function.decorators[upper].first - 1
    middle = function.decorators[lower - 1].last  # comments between the decorators move with the one below them
    end = function.decorators[lower].last
    return b"".join((*lines[:start], *lines[middle:end], *lines[start:middle], *lines[end:]))


def _definitions(content: bytes, function: str) -> list[_Function]:
    from libcst.metadata import PositionProvider

    wrapper = parse_source(content)
    positions = wrapper.resolve(PositionProvider)
    nodes = [node for name, node in _functions(wrapper.module, "") if name == function]
    return [
        _Function(
            line=positions[node.name].start.line,
            decorators=tuple(
                _Decorator(_name(one.decorator), positions[one].start.line, positions[one].end.line)
                for one in node.decorators
            ),
        )
        for node in nodes
    ]


def _functions(node: CSTNode, prefix: str) -> Iterator[tuple[str, FunctionDef]]:
    """Yield the functions inside a node with their qualified names."""
    import libcst

    for child in node.children:
        if isinstance(child, libcst.FunctionDef):
            yield f"{prefix}{child.name.value}", child
            yield from _functions(child.body, f"{prefix}{child.name.value}.<locals>.")
        elif isinstance(child, libcst.ClassDef):
            yield from _functions(child.body, f"{prefix}{child.name.value}.")
        elif not isinstance(child, libcst.BaseExpression):
            yield from _functions(child, prefix)


def _name(expression: BaseExpression) -> str:
    """Return a decorator's name as the source index writes it: ``a.b``, without the arguments of the last call."""
    import libcst

    if isinstance(expression, libcst.Call):
        expression = expression.func
    parts: list[str] = []
    while isinstance(expression, libcst.Attribute):
        parts.append(expression.attr.value)
        expression = expression.value
    if isinstance(expression, libcst.Name):
        parts.append(expression.value)
    elif isinstance(expression, libcst.Call):
        parts.append(f"{_name(expression)}()")
    else:
        parts.append("?")
    return ".".join(reversed(parts))


SWAP_DECORATORS = Fix(
    name="swap-decorators",
    title="move a task's registrar above the decorator that hides it",
    phase=Phase.SOURCE,
    needs=("source",),
    reverts=True,
    plan=plan,
    apply=apply,
    page=__doc__ or "",
)
