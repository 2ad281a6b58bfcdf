"""The models that code falls back to: defaults of parameters, constants, variables of the environment, downloads."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from doctor.source.collector import Collector, Module
from doctor.source.expressions import FunctionNode, dotted
from doctor.source.in_code import any_in_code
from doctor.source.model_ids import IN_BYTES, ModelName, model_name
from doctor.source.switches import absolute

APART = re.compile(
    r"(?:^|/)(?:tests?|testing|examples?|docs?|docs_src|benchmarks?|scripts?|notebooks?|cookbooks?|recipes?|samples?"
    r"|tutorials?|experiments?|evals?|templates?|starter_projects|migrations|alembic)/"
    r"|(?:^|/)(?:test_[^/]*|[^/]*_test|conftest)\.py$"
)
"""Files that are programs of their own, or no part of the program."""

READERS = frozenset({"os.getenv", "os.environ.get"})
DOWNLOADS = frozenset({"snapshot_download", "hf_hub_download", "from_pretrained"})
_MODEL_WORD = re.compile(r"(?:^|_)(?:model|models|llm|repo|deployment|engine)(?:_|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ModelDefault:
    """A model's name at ``line``. ``name`` is the parameter, constant or variable that gets it; ``how`` says which.

    ``owner`` is the full name of the class around it, and ``bases`` those of its bases, or empty.
    """

    path: str
    line: int
    text: str
    module: str
    name: str
    how: str
    model: str
    parsed: ModelName
    owner: str = ""
    bases: tuple[str, ...] = ()


def _collect(module: Module) -> Iterator[ModelDefault]:
    if APART.search(module.path):
        return
    for node in module.nodes:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for name, default in _parameters(node):
                yield from _default(module, name, "parameter", default, node)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for name in (dotted(target).removeprefix("self.") for target in targets):
                yield from _default(module, name, "constant", _fallback(node.value), node)
        elif isinstance(node, ast.Call):
            yield from _of_call(module, node)


def _of_call(module: Module, node: ast.Call) -> Iterator[ModelDefault]:
    if module.origin(node.func) in READERS and len(node.args) > 1 and isinstance(node.args[0], ast.Constant):
        yield from _default(module, str(node.args[0].value), "environment", node.args[1], None)
    elif dotted(node.func).rpartition(".")[2] in DOWNLOADS:
        named = [word.value for word in node.keywords if word.arg in ("repo_id", "pretrained_model_name_or_path")]
        for argument in (*node.args[:1], *named):
            yield from _default(module, "model", "download", argument, None)
    else:
        for word in node.keywords:
            if word.arg and isinstance(word.value, ast.BoolOp):
                yield from _default(module, word.arg, "parameter", _fallback(word.value), None)


def _default(module: Module, name: str, how: str, node: ast.expr, inside: ast.stmt | None) -> Iterator[ModelDefault]:
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or not _MODEL_WORD.search(name):
        return
    parsed = model_name(node.value)
    if parsed is not None:
        owner = None if inside is None else _owner(module, inside)
        bases = () if owner is None else tuple(_full(module.origin(base), module) for base in owner.bases)
        full = "" if owner is None else f"{module.name}.{owner.name}"
        place = (module.path, node.lineno, module.line(node.lineno), module.name)
        yield ModelDefault(*place, name, how, node.value, parsed, full, bases)


def _full(origin: str, module: Module) -> str:
    return absolute(origin, module) if "." in origin else f"{module.name}.{origin}"


def _fallback(node: ast.expr) -> ast.expr:
    """Return what is taken when nothing else is given: the end of ``a or b``."""
    return node.values[-1] if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or) else node


def _parameters(function: FunctionNode) -> Iterator[tuple[str, ast.expr]]:
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    if arguments.defaults:
        pairs = zip(positional[-len(arguments.defaults) :], arguments.defaults, strict=True)
        yield from ((one.arg, default) for one, default in pairs)
    for one, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if default is not None:
            yield one.arg, default


def _owner(module: Module, statement: ast.stmt) -> ast.ClassDef | None:
    """Return the innermost class around a statement."""
    around = [
        node
        for node in module.nodes
        if isinstance(node, ast.ClassDef) and node.lineno <= statement.lineno <= (node.end_lineno or node.lineno)
    ]
    return around[-1] if around else None


_LITERALS = (b"-Instruct", b"-instruct", b"lama", b"gpt-4", b"claude-", b"gemini-")
"""What stands in the names that are defaults most often."""

COLLECTOR = Collector(
    "model-defaults", 1, _LITERALS, _collect, looks=lambda content: any_in_code(content, IN_BYTES.finditer(content))
)
