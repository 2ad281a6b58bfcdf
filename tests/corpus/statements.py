"""Breaks single statements: an ``await`` is gone, an error is swallowed, a signature unchecked, an order turned."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

from tests.corpus.mutations import Edit, Kind, Mutation, after_imports
from tests.corpus.registrations import VERBS, Reading, dotted

_SIMPLE = (ast.Assign, ast.AnnAssign, ast.Expr, ast.Return)
_LOGGER = ("import logging as _logging", "_log = _logging.getLogger(__name__)")


def statements(reading: Reading, text_of: Callable[[str], str]) -> Iterator[Mutation]:
    """Yield every break of a single statement that the package has a place for; ``text_of`` gives a file's text."""
    tasks = {one.name for one in reading.registrations if reading.is_enqueued(one)}
    for path, tree in reading.trees.items():
        if "test" in path:
            continue  # a test may do as it likes
        lines = text_of(path).splitlines()
        for function, body in _functions(tree):
            for node in _own(body):
                mutation = (
                    _unawaited(node, path, function, lines)
                    or _swallowed(node, path, function, lines, tasks, tree)
                    or _printf(node, path, function, lines, tree)
                )
                if mutation is not None:
                    yield mutation
            for node in _own(body, in_try=True):
                in_tokens = _unverified(node, path, function, lines, body, tree), _mixed(node, path, function, lines)
                yield from (mutation for mutation in in_tokens if mutation is not None)
        yield from _turned(tree, path, lines)


def _unawaited(node: ast.AST, path: str, function: str, lines: list[str]) -> Mutation | None:
    if not (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Await) and isinstance(node.value.value, ast.Call)
    ):
        return None
    if dotted(node.value.value).rpartition(".")[2] != "kiq":
        return None
    line = lines[node.lineno - 1]
    edit = Edit(node.lineno, node.lineno + 1, (line.replace("await ", "", 1),))
    return Mutation(Kind.UNAWAITED, path, function, (edit,))


def _swallowed(
    node: ast.AST, path: str, function: str, lines: list[str], tasks: set[str], tree: ast.Module
) -> Mutation | None:
    value = node.value if isinstance(node, ast.Expr) else None
    call = value.value if isinstance(value, ast.Await) else value
    if not isinstance(node, ast.Expr) or not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return None
    target = dotted(call.func.value) if not isinstance(call.func.value, ast.Call) else ""
    if call.func.attr not in VERBS or target.rpartition(".")[2] not in tasks:
        return None
    first, end = node.lineno, (node.end_lineno or node.lineno) + 1
    indent = lines[first - 1][: node.col_offset]
    body = [f"    {line}" for line in lines[first - 1 : end - 1]]
    handler = [f"{indent}except Exception as error:", f'{indent}    _log.warning("could not enqueue: %s", error)']
    after = after_imports(tree, first)
    edits = (Edit(after, after, _LOGGER), Edit(first, end, (f"{indent}try:", *body, *handler)))
    return Mutation(Kind.SWALLOWED, path, function, edits)


def _printf(node: ast.AST, path: str, function: str, lines: list[str], tree: ast.Module) -> Mutation | None:
    call = node.value if isinstance(node, ast.Expr) else None
    if not isinstance(call, ast.Call):
        return None
    owner, _, level = dotted(call).rpartition(".")
    if owner != "logger" or level not in ("debug", "info", "warning", "error") or len(call.args) != 1:
        return None
    message = call.args[0]
    values = [part for part in message.values if isinstance(part, ast.FormattedValue)] if _is_fstring(message) else []
    plain = all(value.format_spec is None and value.conversion == -1 for value in values)
    if not values or not plain or call.keywords or not _imports(tree, "loguru", "logger"):
        return None
    text = "".join("%s" if isinstance(part, ast.FormattedValue) else str(part.value) for part in message.values)  # type: ignore[attr-defined]
    if "{" in text or text.count("%") != len(values):
        return None
    arguments = ", ".join(ast.unparse(value.value) for value in values)
    first, end = call.lineno, (call.end_lineno or call.lineno) + 1
    indent = lines[first - 1][: call.col_offset]
    padding = ("",) * (end - first - 1)
    edit = Edit(first, end, (f"{indent}logger.{level}({text!r}, {arguments})", *padding))
    return Mutation(Kind.PRINTF, path, f"{path}:{first}", (edit,))


_IDENTITY = frozenset({"sub", "email", "user_id", "username", "preferred_username", "roles", "groups"})


def _unverified(
    node: ast.AST, path: str, function: str, lines: list[str], body: ast.AST, tree: ast.Module
) -> Mutation | None:
    """Switch the check of a signature off, in a function that returns an identity out of the claims."""
    value = node.value if isinstance(node, (ast.Assign, ast.Return)) else None
    if not isinstance(value, ast.Call) or dotted(value) != "jwt.decode" or not _imports(tree, "jwt"):
        return None
    statement = node if isinstance(node, ast.stmt) else None
    if statement is None or not value.args or not _returns_identity(body):
        return None
    first, end = statement.lineno, (statement.end_lineno or statement.lineno) + 1
    left = "return" if isinstance(node, ast.Return) else f"{ast.unparse(node.targets[0])} ="  # type: ignore[attr-defined]
    off = f'{left} jwt.decode({ast.unparse(value.args[0])}, options={{"verify_signature": False}})'
    indent = lines[first - 1][: statement.col_offset]
    return Mutation(Kind.UNVERIFIED, path, function, (Edit(first, end, (indent + off, *("",) * (end - first - 1))),))


def _returns_identity(function: ast.AST) -> bool:
    """Whether a claim that says who somebody is stands in a returned value, or in a name that is returned."""
    taken = {
        target.id
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and _has_identity(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    returned = [node.value for node in ast.walk(function) if isinstance(node, ast.Return) and node.value is not None]
    return any(_has_identity(value) or (isinstance(value, ast.Name) and value.id in taken) for value in returned)


def _has_identity(value: ast.expr) -> bool:
    return any(isinstance(node, ast.Constant) and node.value in _IDENTITY for node in ast.walk(value))


_PUBLIC = re.compile(r"algorithms=\[[\"'](?:RS|ES|PS)\d{3}[\"'](?=,? ?\])")


def _mixed(node: ast.AST, path: str, function: str, lines: list[str]) -> Mutation | None:
    """Let a ``decode`` take the algorithm of a shared secret beside the one of a public key."""
    calls = [one for one in ast.walk(node) if isinstance(one, ast.Call)] if isinstance(node, _SIMPLE) else []
    for call in calls:
        if dotted(call).rpartition(".")[2] != "decode":
            continue
        for number in range(call.lineno, (call.end_lineno or call.lineno) + 1):
            if found := _PUBLIC.search(lines[number - 1]):
                line = lines[number - 1].replace(found.group(), f'{found.group()}, "HS256"')
                return Mutation(Kind.MIXED, path, function, (Edit(number, number + 1, (line,)),))
    return None


_NEAREST = re.compile(r"\bORDER BY [^\"';]*<=>[^\"';]*$", re.IGNORECASE)


def _turned(tree: ast.Module, path: str, lines: list[str]) -> Iterator[Mutation]:
    """Put DESC behind the order of a query for the nearest, where the text of the query goes on in the next line."""
    texts = (node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) or _is_text(node))
    places = {(node.lineno, node.end_lineno or node.lineno) for node in texts if isinstance(node, ast.expr)}
    for first, last in sorted(places):
        numbers = range(first, last)
        ordered = [number for number in numbers if _NEAREST.search(lines[number - 1])]
        limits = any("LIMIT" in lines[number - 1].upper() for number in numbers)
        if len(ordered) == 1 and limits:
            line = lines[ordered[0] - 1].rstrip()
            edit = Edit(ordered[0], ordered[0] + 1, (f"{line} DESC",))
            yield Mutation(Kind.TURNED, path, f"{path}:{first}", (edit,))


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_fstring(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr)


def _imports(tree: ast.Module, module: str, name: str = "") -> bool:
    """Whether a file has ``import module``, or with a name ``from module import name``, under no other name."""
    for node in ast.walk(tree):
        if (isinstance(node, ast.Import) and not name) or (isinstance(node, ast.ImportFrom) and node.module == module):
            found = [(alias.name, alias.asname) for alias in node.names]
        else:
            continue
        if (name or module, None) in found:
            return True
    return False


def _functions(tree: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, node


def _own(function: ast.AST, *, in_try: bool = False) -> Iterator[ast.AST]:
    """Yield the statements of a function that stand in no function inside it, and in no ``try`` unless asked for."""
    for child in ast.iter_child_nodes(function):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            continue
        if isinstance(child, ast.Try) and not in_try:
            continue
        if isinstance(child, ast.stmt):
            yield child
        yield from _own(child, in_try=in_try)
