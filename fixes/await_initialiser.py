"""Awaits the asynchronous initialiser in place of the call that only starts the initialisation.

The calls of the starter that stand alone in one coroutine become awaits of the other method of the same object; where
that await is the very next line already, the starter's line goes. Everything else in the file stays as it is. The
caller waits from now on where it did not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from doctor.api import Fix, FixContext, Phase, Plan, Source, Writers, difference, read_source, transformed

if TYPE_CHECKING:
    import libcst


async def plan(context: FixContext) -> Plan:
    """Read the file again and put the await in its place."""
    source: Source = context.resources["source"]
    arguments = {key: str(value) for key, value in context.arguments.items()}
    path, function, waiter = arguments["path"], arguments["function"], arguments["waiter"]
    file = source.locate(path)
    before = read_source(file, path)
    after = awaiting(before, function, arguments["starter"], waiter)
    return Plan(
        summary=f"await `{waiter}` in place of `{arguments['starter']}` in `{function}` of {path}",
        preview=difference(before, after, path),
        touches=(path,),
        payload=(file, before, after),
    )


async def apply(context: FixContext, plan: Plan, writers: Writers) -> str:
    """Write the file."""
    writers.source.replace(*plan.payload)
    return plan.summary


def awaiting(content: bytes, function: str, starter: str, waiter: str) -> bytes:
    """Return the file with ``await x.waiter()`` where the coroutine ``function`` has ``x.starter()`` as a statement.

    The line goes where that await is the next one. ``function`` is a qualified name; calls with arguments, and those in
    functions inside it, are left alone.

    Raises:
        NothingToDoError: there is no such call.
        RefusedError: the file does not parse.
    """
    return transformed(content, lambda: _transformer(function, starter, waiter))


def _transformer(function: str, starter: str, waiter: str) -> libcst.CSTTransformer:
    import libcst
    from libcst.metadata import QualifiedNameProvider

    class _Await(libcst.CSTTransformer):
        METADATA_DEPENDENCIES = (QualifiedNameProvider,)

        def __init__(self) -> None:
            super().__init__()
            self.inside = [False]
            """For each function and class around, whether it is the coroutine in question."""

        def visit_FunctionDef(self, node: libcst.FunctionDef) -> None:  # noqa: N802
            names = {found.name for found in self.get_metadata(QualifiedNameProvider, node, ())}
            self.inside.append(function in names and node.asynchronous is not None)

        def visit_ClassDef(self, node: libcst.ClassDef) -> None:  # noqa: N802
            self.inside.append(False)

        def leave_FunctionDef(  # noqa: N802
            self, original_node: libcst.FunctionDef, updated_node: libcst.FunctionDef
        ) -> libcst.FunctionDef:
            self.inside.pop()
            return updated_node

        def leave_ClassDef(self, original_node: libcst.ClassDef, updated_node: libcst.ClassDef) -> libcst.ClassDef:  # noqa: N802
            self.inside.pop()
            return updated_node

        def leave_Expr(self, original_node: libcst.Expr, updated_node: libcst.Expr) -> libcst.Expr:  # noqa: N802
            if not self.inside[-1]:
                return updated_node
            return updated_node.with_changes(value=_awaited(updated_node.value, starter, waiter))

        def leave_IndentedBlock(  # noqa: N802
            self, original_node: libcst.IndentedBlock, updated_node: libcst.IndentedBlock
        ) -> libcst.IndentedBlock:
            if not self.inside[-1]:
                return updated_node
            return updated_node.with_changes(body=_without_repetition(original_node.body, updated_node.body))

    return _Await()


def _without_repetition(
    before: Sequence[libcst.BaseStatement], after: Sequence[libcst.BaseStatement]
) -> list[libcst.BaseStatement]:
    """Leave out each line that has become the await that the next line is; the comments above it stay."""
    import libcst

    if len(before) != len(after):
        return list(after)
    kept: list[libcst.BaseStatement] = []
    above: list[libcst.EmptyLine] = []
    for place, line in enumerate(after):
        following = _awaits(before[place + 1]) if place + 1 < len(before) else ""
        if following and _awaits(line) == following and _awaits(before[place]) != following:
            assert isinstance(line, libcst.SimpleStatementLine)
            above += line.leading_lines
            continue
        if above and isinstance(line, libcst.SimpleStatementLine):
            line = line.with_changes(leading_lines=[*above, *line.leading_lines])
            above = []
        kept.append(line)
    return kept


def _awaits(line: libcst.BaseStatement) -> str:
    """Return the method that a line awaits without arguments and does nothing else, or nothing."""
    import libcst

    if not isinstance(line, libcst.SimpleStatementLine) or len(line.body) != 1:
        return ""
    statement = line.body[0]
    value = statement.value if isinstance(statement, libcst.Expr) else None
    call = value.expression if isinstance(value, libcst.Await) else None
    if not isinstance(call, libcst.Call) or call.args:
        return ""
    return "".join(libcst.Module([]).code_for_node(call.func).split())


def _awaited(value: libcst.BaseExpression, starter: str, waiter: str) -> libcst.BaseExpression:
    """Return the await of the other method, or the expression itself when it is no call of the starter."""
    import libcst

    call = value.expression if isinstance(value, libcst.Await) else value
    if not isinstance(call, libcst.Call) or call.args or not isinstance(call.func, libcst.Attribute):
        return value
    if call.func.attr.value != starter:
        return value
    method = call.func.with_changes(attr=call.func.attr.with_changes(value=waiter))
    called = call.with_changes(func=method)
    if isinstance(value, libcst.Await):
        return value.with_changes(expression=called)
    # Parentheses around the call stay around the whole: `(self.start())` becomes `(await self.wait())`.
    return libcst.Await(called.with_changes(lpar=[], rpar=[]), lpar=called.lpar, rpar=called.rpar)


AWAIT_INITIALISER = Fix(
    name="await-initialiser",
    title="await the initialiser in place of the call that starts it",
    phase=Phase.SOURCE,
    needs=("source",),
    reverts=True,
    plan=plan,
    apply=apply,
    page=__doc__ or "",
)
