"""Writes `{}` for `%s` and `%d` in a message that loguru formats.

Only the literal's placeholders change; every other byte of the file stays as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor.api import (
    LINE,
    PLAIN,
    Fix,
    FixContext,
    Phase,
    Plan,
    Source,
    Writers,
    are_plain,
    difference,
    read_source,
    transformed,
)

if TYPE_CHECKING:
    import libcst

LEVELS = frozenset({"trace", "debug", "info", "success", "warning", "error", "critical", "exception"})


async def plan(context: FixContext) -> Plan:
    """Read the file again and rewrite the one message."""
    source: Source = context.resources["source"]
    path, line = str(context.arguments["path"]), int(str(context.arguments["line"]))
    file = source.locate(path)
    before = read_source(file, path)
    line = nearest(before, line, str(context.arguments.get("text", "")))
    after = rewritten(before, line)
    return Plan(
        summary=f"write {{}} in place of % in {path}:{line}",
        preview=difference(before, after, path),
        touches=(path,),
        payload=(file, before, after),
    )


async def apply(context: FixContext, plan: Plan, writers: Writers) -> str:
    """Write the file."""
    writers.source.replace(*plan.payload)
    return plan.summary


def nearest(content: bytes, line: int, text: str) -> int:
    """Return the line nearest to ``line`` that reads like ``text``, or ``line`` where none does.

    Another repair of the same file may have moved it.
    """
    lines = (one.decode("utf-8", "replace").strip() for one in LINE.findall(content))
    same = [number for number, one in enumerate(lines, 1) if one == text]
    return min(same, key=lambda number: abs(number - line), default=line)


def rewritten(content: bytes, line: int) -> bytes:
    """Return the file with the message of the log call that begins on ``line`` in loguru's form.

    Raises:
        NothingToDoError: there is no such call with plain placeholders and as many arguments.
        RefusedError: the file does not parse.
    """
    import libcst
    from libcst.metadata import PositionProvider, QualifiedNameProvider

    class _Rewrite(libcst.CSTTransformer):
        METADATA_DEPENDENCIES = (PositionProvider, QualifiedNameProvider)

        def leave_Call(self, original_node: libcst.Call, updated_node: libcst.Call) -> libcst.Call:  # noqa: N802
            if self.get_metadata(PositionProvider, original_node).start.line != line or not updated_node.args:
                return updated_node
            names = {found.name for found in self.get_metadata(QualifiedNameProvider, _logger(original_node), ())}
            if names != {"loguru.logger"}:
                return updated_node
            first, *rest = updated_node.args
            message = _in_new_form(first.value, sum(one.keyword is None and not one.star for one in rest))
            return (
                updated_node
                if message is None
                else updated_node.with_changes(args=[first.with_changes(value=message), *rest])
            )

    return transformed(content, _Rewrite)


def _logger(call: libcst.Call) -> libcst.BaseExpression:
    """Return ``logger`` of ``logger.bind(…).info(…)``; the call itself where it writes no line of a log."""
    import libcst

    if not isinstance(call.func, libcst.Attribute) or call.func.attr.value not in LEVELS:
        return call
    node: libcst.BaseExpression = call
    while isinstance(node, libcst.Call) and isinstance(node.func, libcst.Attribute):
        node = node.func.value
    return node


def _in_new_form(message: libcst.BaseExpression, arguments: int) -> libcst.BaseExpression | None:
    """Return the literal with ``{}``, or None when it is none or its placeholders and arguments do not match."""
    import libcst

    parts: list[libcst.BaseExpression] = []
    rest = message
    while isinstance(rest, libcst.ConcatenatedString):
        parts.append(rest.left)
        rest = rest.right
    parts.append(rest)
    simple = [part.value for part in parts if isinstance(part, libcst.SimpleString)]
    if len(simple) != len(parts) or not are_plain("".join(simple), arguments):
        return None

    class _Replace(libcst.CSTTransformer):
        def leave_SimpleString(  # noqa: N802
            self, original_node: libcst.SimpleString, updated_node: libcst.SimpleString
        ) -> libcst.SimpleString:
            return updated_node.with_changes(value=PLAIN.sub("{}", original_node.value))

    changed = message.visit(_Replace())
    return changed if isinstance(changed, libcst.BaseExpression) else None


LOGURU_ARGUMENTS = Fix(
    name="loguru-arguments",
    title="write {} in place of % in a message that loguru formats",
    phase=Phase.SOURCE,
    needs=("source",),
    reverts=True,
    plan=plan,
    apply=apply,
    page=__doc__ or "",
)
