"""Rewrites new syntax into old: what LibCST parses and the running interpreter refuses.

Type parameters go, ``type`` statements become assignments (3.12), f-strings with nested quotes (3.12) and t-strings
(3.14) become calls of ``format``; each line stays where it was. That is the same to every collector. A file in which
nothing had to be rewritten keeps its syntax error: LibCST is more lenient than Python in a few places. ``except A, B:``
without parentheses (3.14) is left alone, because in an old file it means something else.
"""

from __future__ import annotations

import ast
import sys
import warnings
from typing import TypeAlias, TypeVar

import libcst as cst

from doctor.source.newer import LENGTH

_Definition = TypeVar("_Definition", cst.FunctionDef, cst.ClassDef)
_String: TypeAlias = cst.FormattedString | cst.TemplatedString | cst.ConcatenatedString


def serve() -> None:
    """Answer on standard output what arrives on standard input, until that ends; empty where there is no answer."""
    while head := sys.stdin.buffer.read(LENGTH):
        content = sys.stdin.buffer.read(int.from_bytes(head, "big"))
        try:
            answer = older(content)
        except Exception:  # noqa: BLE001 - the file may be anything, and LibCST may fail in any way
            answer = b""
        sys.stdout.buffer.write(len(answer).to_bytes(LENGTH, "big") + answer)
        sys.stdout.buffer.flush()


def older(content: bytes) -> bytes:
    """Return the file in older syntax; empty when nothing had to be rewritten.

    Raises:
        libcst.ParserSyntaxError: it is not even new Python.
    """
    # LibCST loses some line ends of a file that mixes them
    module = cst.parse_module(content.replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
    rewriter = _Rewriter(module)
    rewritten = module.visit(rewriter)
    return rewritten.bytes if rewriter.has_rewritten else b""


class _Rewriter(cst.CSTTransformer):
    def __init__(self, module: cst.Module) -> None:
        super().__init__()
        self.module = module
        self.has_rewritten = False

    def leave_FunctionDef(  # noqa: N802 - LibCST's names
        self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef
    ) -> cst.FunctionDef:
        """``def f[T](x):`` → ``def f(x):``."""
        if updated_node.type_parameters is None:
            return updated_node
        space = _lines(self._lines_of(updated_node.type_parameters))
        return self._done(updated_node.with_changes(type_parameters=None, whitespace_before_params=space))

    def leave_ClassDef(self, original_node: cst.ClassDef, updated_node: cst.ClassDef) -> cst.ClassDef:  # noqa: N802
        """``class C[T](B):`` → ``class C(B):``."""
        if updated_node.type_parameters is None:
            return updated_node
        opening = cst.LeftParen(whitespace_after=_lines(self._lines_of(updated_node.type_parameters)))
        return self._done(updated_node.with_changes(type_parameters=None, lpar=opening, rpar=cst.RightParen()))

    def leave_TypeAlias(self, original_node: cst.TypeAlias, updated_node: cst.TypeAlias) -> cst.Assign:  # noqa: N802
        """``type A[T] = B`` → ``A = (B)``."""
        parameters = updated_node.type_parameters
        opening = cst.LeftParen(whitespace_after=_lines(0 if parameters is None else self._lines_of(parameters)))
        value = updated_node.value
        value = value.with_changes(lpar=[opening, *value.lpar], rpar=[*value.rpar, cst.RightParen()])
        return self._done(cst.Assign([cst.AssignTarget(updated_node.name)], value, updated_node.semicolon))

    def visit_FormattedString(self, node: cst.FormattedString) -> bool:  # noqa: N802
        """The values of a string are visited when it is rewritten."""
        return False

    def visit_TemplatedString(self, node: cst.TemplatedString) -> bool:  # noqa: N802
        """As those of an f-string."""
        return False

    def visit_ConcatenatedString(self, node: cst.ConcatenatedString) -> bool:  # noqa: N802
        """Its parts are rewritten together: half of it cannot be a call."""
        return False

    def leave_FormattedString(  # noqa: N802
        self, original_node: cst.FormattedString, updated_node: cst.FormattedString
    ) -> cst.BaseExpression:
        """``f"{d["a"]}"`` → ``"{}".format((d["a"]))``."""
        return self._string(original_node)

    def leave_TemplatedString(  # noqa: N802
        self, original_node: cst.TemplatedString, updated_node: cst.TemplatedString
    ) -> cst.BaseExpression:
        """``t"{name}"`` → ``"{}".format((name))``."""
        return self._string(original_node)

    def leave_ConcatenatedString(  # noqa: N802
        self, original_node: cst.ConcatenatedString, updated_node: cst.ConcatenatedString
    ) -> cst.BaseExpression:
        """``"a" f"{d["b"]}"`` → ``"a{}".format((d["b"]))``."""
        return self._string(original_node)

    def _string(self, string: _String) -> cst.BaseExpression:
        if self._is_parsed(string):
            return string
        texts, values = _parts(string)
        visited = (value.visit(self) for value in values)
        codes = [f"({self.module.code_for_node(value)})" for value in visited if isinstance(value, cst.CSTNode)]
        missing = self._lines_of(string) - sum(code.count("\n") for code in codes)
        code = f"{''.join(texts)!r}.format({', '.join(codes)}{chr(10) * missing})"
        depth = len(string.lpar)
        return self._done(cst.parse_expression("(" * depth + code + ")" * depth))

    def _is_parsed(self, node: cst.CSTNode) -> bool:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                ast.parse(f"({self.module.code_for_node(node)}\n)")
            except (SyntaxError, ValueError, MemoryError, RecursionError):
                return False
            return True

    def _lines_of(self, node: cst.CSTNode) -> int:
        return self.module.code_for_node(node).count("\n")

    def _done(self, node: _Node) -> _Node:
        self.has_rewritten = True
        return node


_Node = TypeVar("_Node", bound=cst.CSTNode)


def _lines(number: int) -> cst.BaseParenthesizableWhitespace:
    """Return this many line ends, for a place between parentheses."""
    if number == 0:
        return cst.SimpleWhitespace("")
    return cst.ParenthesizedWhitespace(empty_lines=[cst.EmptyLine(indent=False)] * (number - 1))


def _parts(string: cst.BaseExpression) -> tuple[list[str], list[cst.BaseExpression]]:
    """Return the texts of a string, ``{}`` for what is filled in, and the values, those of format specs included."""
    if isinstance(string, cst.ConcatenatedString):
        (texts, values), (more, others) = _parts(string.left), _parts(string.right)
        return texts + more, values + others
    if isinstance(string, cst.SimpleString):
        return [string.raw_value], []
    texts, values = [], []
    for part in string.parts if isinstance(string, (cst.FormattedString, cst.TemplatedString)) else ():
        if isinstance(part, (cst.FormattedStringText, cst.TemplatedStringText)):
            texts.append(part.value)
        elif isinstance(part, (cst.FormattedStringExpression, cst.TemplatedStringExpression)):
            texts.append("{}")
            inside = (getattr(inner, "expression", None) for inner in part.format_spec or ())
            values += [part.expression, *(inner for inner in inside if inner is not None)]
    return texts, values
