"""What runs after a statement of a function, and whether anything on the way waits.

Statements are followed in order: the rest of the block, then what comes after the block, up to a ``return``, ``raise``,
``continue`` or ``break``. The other branch of a condition does not come after it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence

from doctor.source.call_kinds import CallKind, call_kind
from doctor.source.collector import own_nodes
from doctor.source.expressions import FunctionNode, dotted

_LEAVES = (ast.Return, ast.Raise, ast.Continue, ast.Break)
_BLOCKS = ("body", "orelse", "finalbody")
_WAITS = frozenset(
    {
        "acquire",
        "as_completed",
        "exception",
        "gather",
        "join",
        "result",
        "run_forever",
        "run_until_complete",
        "select",
        "shutdown",
        "sleep",
        "wait",
        "wait_for",
    }
)
_SUSPENDS = (ast.Await, ast.AsyncFor, ast.AsyncWith, ast.Yield, ast.YieldFrom, ast.While)
_DEFINES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)

Block = Sequence[ast.stmt]


def following(function: FunctionNode, statement: ast.stmt) -> Iterator[ast.stmt]:
    """Yield the statements that come after one, in order."""
    for block, index in reversed(_path(function.body, statement)):
        for after in block[index + 1 :]:
            yield after
            if isinstance(after, _LEAVES):
                return


def around(function: FunctionNode, statement: ast.stmt) -> Iterator[ast.stmt]:
    """Yield the statements that a statement stands in, outermost first."""
    for block, index in _path(function.body, statement)[:-1]:
        yield block[index]


def statements(function: FunctionNode) -> Iterator[ast.stmt]:
    """Yield every statement of a function, but those of functions and classes in it."""
    yield from (node for node in own_nodes(function) if isinstance(node, ast.stmt))


def waits(nodes: Iterable[ast.AST]) -> bool:
    """Whether any of the nodes waits for something, or hands over to whoever drives a coroutine or generator."""
    return any(isinstance(node, _SUSPENDS) or (isinstance(node, ast.Call) and is_wait(node)) for node in nodes)


def is_harmless(nodes: Iterable[ast.AST]) -> bool:
    """Whether nothing among the nodes waits, and every call only logs, formats or makes an object."""
    return all(
        not isinstance(node, _SUSPENDS) and (not isinstance(node, ast.Call) or _is_harmless(node)) for node in nodes
    )


def inner_nodes(statement: ast.AST) -> Iterator[ast.AST]:
    """Yield a node and those in it, but not those of functions and classes."""
    yield statement
    if not isinstance(statement, _DEFINES):
        yield from own_nodes(statement)


def is_lock(item: ast.withitem) -> bool:
    """Whether ``with`` takes a lock, by its name."""
    return "lock" in dotted(item.context_expr).lower() or "mutex" in dotted(item.context_expr).lower()


def is_wait(call: ast.Call) -> bool:
    """Whether a call comes back only when something else is done, by its name."""
    last = dotted(call.func).rpartition(".")[2]
    if last == "join" and isinstance(call.func, ast.Attribute):
        return not isinstance(call.func.value, (ast.Constant, ast.JoinedStr)) and not dotted(call.func).startswith(
            "os."
        )
    if last == "exception":
        return call_kind(dotted(call.func)) is not CallKind.LOG
    return last in _WAITS or (last == "get" and not call.args)


def _is_harmless(call: ast.Call) -> bool:
    return not is_wait(call) and call_kind(dotted(call.func)) in (CallKind.LOG, CallKind.PURE)


def _path(block: Block, statement: ast.stmt) -> list[tuple[Block, int]]:
    """Return the blocks that lead to a statement, outermost first, each with the place in it."""
    for index, one in enumerate(block):
        if one is statement:
            return [(block, index)]
        for inner in _inner_blocks(one):
            if found := _path(inner, statement):
                return [(block, index), *found]
    return []


def _inner_blocks(statement: ast.stmt) -> Iterator[Block]:
    if isinstance(statement, _DEFINES):
        return
    for name in _BLOCKS:
        yield getattr(statement, name, [])
    for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
        yield part.body
