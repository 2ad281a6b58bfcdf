"""Where the code reads variables of the environment, with what it takes when one is not set.

Read are ``os.environ`` and ``os.getenv``, ``config("X")`` of decouple, and the fields of pydantic settings, under the
names that they have in the environment.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from doctor.redaction import redact_value
from doctor.source.collector import Collector, Module
from doctor.source.collectors.model_defaults import APART
from doctor.source.expressions import dotted
from doctor.source.in_code import any_in_code
from doctor.source.unset import SETTINGS

READERS = frozenset({"os.getenv", "os.environ.get", "decouple.config"})
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TRUE = re.compile(r"env_ignore_empty\s*=\s*True")


@dataclass(frozen=True, slots=True)
class EnvironmentRead:
    """One place. ``required``: without the variable the program fails there.

    ``default`` is the literal that is taken instead, a secret by its placeholder; None when there is none or it is
    computed. ``ignores_empty``: an empty value counts as none. ``apart``: in a test, a script or another program beside
    the target.
    """

    path: str
    line: int
    text: str
    name: str
    required: bool
    default: str | None
    ignores_empty: bool = False
    apart: bool = False


def _collect(module: Module) -> Iterator[EnvironmentRead]:
    for node in module.nodes:
        if isinstance(node, ast.ClassDef):
            yield from _of_settings(module, node)
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            if module.origin(node.value) == "os.environ":
                yield from _read(module, node, node.slice, None, required=True)
        elif isinstance(node, ast.Call) and node.args and module.origin(node.func) in READERS:
            default = node.args[1] if len(node.args) > 1 else _keyword(node, "default")
            required = module.origin(node.func) == "decouple.config" and default is None
            yield from _read(module, node, node.args[0], default, required=required)


def _read(
    module: Module, node: ast.expr, name: ast.expr, default: ast.expr | None, *, required: bool
) -> Iterator[EnvironmentRead]:
    if isinstance(name, ast.Constant) and isinstance(name.value, str) and _NAME.fullmatch(name.value):
        yield _made(module, node.lineno, name.value, default, required=required)


def _made(
    module: Module, line: int, name: str, default: ast.expr | None, *, required: bool, ignores_empty: bool = False
) -> EnvironmentRead:
    apart = APART.search(module.path) is not None
    text = module.line(line)
    literal = _literal(default)
    kept = None if literal is None else redact_value(name, literal)
    return EnvironmentRead(module.path, line, text, name, required, kept, ignores_empty, apart)


def _literal(node: ast.expr | None) -> str | None:
    if isinstance(node, ast.Constant) and node.value is not None and not isinstance(node.value, (bytes, type(...))):
        return str(node.value)
    return None


def _of_settings(module: Module, node: ast.ClassDef) -> Iterator[EnvironmentRead]:
    """Yield the fields of a class of settings; one whose configuration is not readable is taken to have none."""
    if not any(module.origin(base) in SETTINGS for base in node.bases):
        return
    configuration = "\n".join(ast.unparse(one) for one in node.body if _is_configuration(one))
    prefix = re.search(r"env_prefix\s*=\s*'([^']*)'", configuration)
    ignores_empty = _TRUE.search(configuration) is not None
    for one in node.body:
        if not isinstance(one, ast.AnnAssign) or not isinstance(one.target, ast.Name) or _is_configuration(one):
            continue
        names, default, required = _field(one, f"{prefix[1] if prefix else ''}{one.target.id}".upper())
        for name in names:
            yield _made(module, one.lineno, name, default, required=required, ignores_empty=ignores_empty)


def _is_configuration(node: ast.stmt) -> bool:
    if isinstance(node, ast.ClassDef):
        return node.name == "Config"
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return any(dotted(target) == "model_config" for target in targets) or "ClassVar" in ast.unparse(node)[:60]


def _field(node: ast.AnnAssign, name: str) -> tuple[list[str], ast.expr | None, bool]:
    """Return the variables of a field, its default, and whether it must be set; aliases replace the field's name."""
    value = node.value
    if value is None:
        return [name], None, True
    if not (isinstance(value, ast.Call) and dotted(value.func).rpartition(".")[2] == "Field"):
        return [name], value, False
    default = value.args[0] if value.args else _keyword(value, "default")
    if isinstance(default, ast.Constant) and default.value is ...:
        default = None
    required = default is None and _keyword(value, "default_factory") is None
    alias = _keyword(value, "validation_alias") or _keyword(value, "alias")
    names = [name]
    if isinstance(alias, ast.Constant):
        names = [str(alias.value)]
    elif isinstance(alias, ast.Call):
        names = [str(one.value) for one in alias.args if isinstance(one, ast.Constant)]
        required = False  # one of several names is enough
    return names, default, required


def _keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((keyword.value for keyword in call.keywords if keyword.arg == name), None)


_READ = re.compile(
    rb"\b(?:getenv|environ\s*\.\s*get|config)\s*\(\s*[\"'A-Za-z]"
    rb"|\benviron\s*\[\s*[\"'][A-Za-z_]\w*[\"']\s*\](?!\s*=(?!=))"
    rb"|\bclass \w+\([^)]*\bBaseSettings\b"
)
_RENAMED = re.compile(rb"import\b[^\n#]*\b(?:environ|getenv|config|BaseSettings) as \w")


_DECOUPLE = re.compile(rb"(?:from|import)\s+decouple\b")


def _reads(content: bytes) -> Iterator[re.Match[bytes]]:
    with_decouple = _DECOUPLE.search(content) is not None
    return (one for one in _READ.finditer(content) if with_decouple or not one[0].startswith(b"config"))


def _may_read(content: bytes) -> bool:
    return _RENAMED.search(content) is not None or any_in_code(content, _reads(content))


def _places(content: bytes) -> list[int] | None:
    return None if _RENAMED.search(content) else [one.start() for one in _reads(content)]


COLLECTOR = Collector(
    "environment-reads",
    2,
    (b"environ", b"getenv", b"decouple", b"BaseSettings"),
    _collect,
    looks=_may_read,
    within=_places,
)
