"""Small questions about syntax trees: names as written, who is called."""

from __future__ import annotations

import ast

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef

_PASSED_THROUGH = {"cast", "typing.cast"}


def dotted(node: ast.expr | None) -> str:
    """Return an expression as a dotted name: ``a.b``; a call inside becomes ``a().b``; anything else is ``?``."""
    parts: list[str] = []
    while True:
        if isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        elif isinstance(node, ast.Name):
            parts.append(node.id)
            break
        elif isinstance(node, ast.Call):
            inner = dotted(node.func)
            parts.append(f"{inner}()")
            break
        else:
            parts.append("?")
            break
    return ".".join(reversed(parts))


def callee_of_chain(node: ast.expr) -> str:
    """Return who made the object of a call chain: ``A`` for ``A(…).with_b(…).with_c()``."""
    while isinstance(node, ast.Call):
        function = node.func
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Call):
            node = function.value
        else:
            return dotted(function)
    return dotted(node)


def whole_numbers(tree: ast.Module) -> dict[str, tuple[int, int]]:
    """Return the constants of a module that are whole numbers: name → (number, line); the last assignment counts."""
    found: dict[str, tuple[int, int]] = {}
    for node in tree.body:
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(node.value, ast.Constant):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if type(node.value.value) is int:  # no bool
                number = (node.value.value, node.lineno)
                found.update((target.id, number) for target in targets if isinstance(target, ast.Name))
    return found


def unwrapped(node: ast.expr) -> ast.expr:
    """Return the value inside ``await x`` and ``cast(T, x)``."""
    while True:
        if isinstance(node, ast.Await):
            node = node.value
        elif isinstance(node, ast.Call) and dotted(node.func) in _PASSED_THROUGH and len(node.args) == 2:
            node = node.args[1]
        else:
            return node


def parameters(function: FunctionNode | ast.Lambda) -> list[str]:
    """Return the names of all parameters, the positional ones first."""
    arguments = function.args
    names = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return names + [extra.arg for extra in (arguments.vararg, arguments.kwarg) if extra is not None]


def first_text(call: ast.Call) -> str | None:
    """Return the first positional argument when it is a string or a template of one, placeholders as ``{}``."""
    return text_of(call.args[0]) if call.args else None


def text_of(node: ast.expr) -> str | None:
    """Return the text of a literal or of an f-string, with ``{}`` for what is filled in; None for other expressions."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else _placeholder(part) for part in node.values
        )
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mod, ast.Add)):
        return text_of(node.left)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        return text_of(node.func.value)
    return None


def is_main_block(node: ast.AST) -> bool:
    """Tell whether a statement is ``if __name__ == "__main__":``."""
    test = node.test if isinstance(node, ast.If) else None
    return (
        isinstance(test, ast.Compare)
        and dotted(test.left) == "__name__"
        and isinstance(test.ops[0], ast.Eq)
        and isinstance(test.comparators[0], ast.Constant)
        and test.comparators[0].value == "__main__"
    )


def is_for_types(node: ast.If) -> bool:
    """Tell whether a statement is ``if TYPE_CHECKING:``."""
    return dotted(node.test).rpartition(".")[2] == "TYPE_CHECKING"


def _placeholder(part: ast.expr) -> str:
    inner = part.value if isinstance(part, ast.FormattedValue) else part
    return f"{{{inner.id}}}" if isinstance(inner, ast.Name) else "{}"
