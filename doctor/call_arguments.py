"""Giving a call one more keyword, laid out as a formatter would keep it; what the call holds already stays.

LibCST is imported only when a repair needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from libcst import Arg, BaseExpression, BaseParenthesizableWhitespace, Call, ParenthesizedWhitespace

WIDTH = 88
"""Columns beyond which Black and Ruff put one argument on a line, unless told otherwise."""


def with_keyword(call: Call, keyword: str, value: BaseExpression) -> Call:
    """Return the call with ``keyword`` behind its last argument, on a line of its own where the others have one."""
    import libcst

    nothing = libcst.SimpleWhitespace("")
    added = libcst.Arg(keyword=libcst.Name(keyword), value=value, equal=libcst.AssignEqual(nothing, nothing))
    if not call.args:
        return _with_first(call, added)
    *before, last = call.args
    between = _behind(before[-1]) if before else call.whitespace_before_args
    end = _behind(last)
    last = last.with_changes(whitespace_after_arg=nothing)
    if not isinstance(end, libcst.ParenthesizedWhitespace):
        lined_up = isinstance(between, libcst.ParenthesizedWhitespace) and bool(before)
        space = _only_break(between) if lined_up else libcst.SimpleWhitespace(" ")
        return call.with_changes(args=[*before, _followed(last, space), added])
    if not isinstance(between, libcst.ParenthesizedWhitespace):  # all share the line between the brackets
        added = added.with_changes(whitespace_after_arg=end)
        return call.with_changes(args=[*before, _followed(last, libcst.SimpleWhitespace(" ")), added])
    space = end.with_changes(indent=between.indent, last_line=between.last_line)  # a comment stays where it was
    return call.with_changes(args=[*before, _followed(last, space), _followed(added, _only_break(end))])


def spread(call: Call, indent: str) -> Call:
    """Return the call with each argument on a line of its own, ``indent`` further in than the statement."""
    *before, last = call.args
    arguments = [*(_followed(one, _break(indent)) for one in before), _followed(last, _break(""))]
    return call.with_changes(args=arguments, whitespace_before_args=_break(indent))


def _with_first(call: Call, added: Arg) -> Call:
    """Give an argument to a call that has none; a comment between the brackets stays above it."""
    import libcst

    space = call.whitespace_before_args
    if not isinstance(space, libcst.ParenthesizedWhitespace) or "#" not in libcst.Module([]).code_for_node(space):
        return call.with_changes(args=[added], whitespace_before_args=libcst.SimpleWhitespace(""))
    indents = [line.whitespace for line in space.empty_lines if line.comment] or [libcst.SimpleWhitespace("    ")]
    above = space.with_changes(last_line=indents[-1])
    return call.with_changes(args=[_followed(added, _only_break(space))], whitespace_before_args=above)


def _behind(argument: Arg) -> BaseParenthesizableWhitespace:
    """Return what stands between an argument, with its comma, and the next one or the bracket."""
    import libcst

    comma = argument.comma
    return comma.whitespace_after if isinstance(comma, libcst.Comma) else argument.whitespace_after_arg


def _followed(argument: Arg, space: BaseParenthesizableWhitespace) -> Arg:
    import libcst

    return argument.with_changes(comma=libcst.Comma(whitespace_after=space))


def _only_break(space: BaseParenthesizableWhitespace) -> BaseParenthesizableWhitespace:
    """Return the line break of a space, and the indentation behind it, without comments and empty lines."""
    import libcst

    return space.with_changes(first_line=libcst.TrailingWhitespace(), empty_lines=())


def _break(indent: str) -> ParenthesizedWhitespace:
    import libcst

    return libcst.ParenthesizedWhitespace(indent=True, last_line=libcst.SimpleWhitespace(indent))
