"""Where the code reads variables of the environment, with what it takes when one is not set, and where it sets them.

Read are ``os.environ`` and ``os.getenv``, ``config("X")`` of decouple, and the fields of pydantic settings, under the
names that they have in the environment.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from doctor.redaction import redact_value
from doctor.source.collector import Collector, Module
from doctor.source.collectors.model_defaults import APART
from doctor.source.expressions import dotted
from doctor.source.facts import MODULE_LEVEL
from doctor.source.in_code import any_in_code
from doctor.source.sometimes import run_sometimes
from doctor.source.unset import SETTINGS

READERS = frozenset({"os.getenv", "os.environ.get", "decouple.config"})
SETTERS = frozenset({"os.environ.setdefault", "os.putenv"})
MISSING = frozenset({"KeyError", "LookupError", "UndefinedValueError"})
"""What a variable that is not set raises."""

_PLAIN_TYPE = re.compile(r"(?:str|int|float|bool|bytes|list|set|tuple|dict|Path|Secret\w+|\w*Url|\w*Dsn|EmailStr)\b")
"""Beginnings of annotations whose fields one variable fills; others are filled from several, or in code."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TRUE = re.compile(r"env_ignore_empty\s*=\s*True")


@dataclass(frozen=True, slots=True)
class EnvironmentRead:
    """One place. ``required``: without the variable the program fails there, under no condition that is to be seen.

    ``at_start``: it is read when the module is imported, or as a program; a field, when its class is called there.
    ``sets``: the code sets it there. ``default`` is the literal that is taken instead, a secret by its placeholder;
    None when there is none or it is computed. ``ignores_empty``: an empty value counts as none. ``apart``: in a test, a
    script or another program beside the target.
    """

    path: str
    line: int
    text: str
    name: str
    required: bool
    default: str | None
    ignores_empty: bool = False
    apart: bool = False
    at_start: bool = True
    sets: bool = False


def _collect(module: Module) -> Iterator[EnvironmentRead]:
    maybe = run_sometimes(module.tree, MISSING)
    expected = {name for node in module.nodes for name in _expected_to_be_absent(module, node)}
    for node in module.nodes:
        if isinstance(node, ast.ClassDef):
            yield from _of_settings(module, node)
        elif isinstance(node, ast.Subscript) and module.origin(node.value) == "os.environ":
            if isinstance(node.ctx, ast.Load):
                required = node not in maybe and _text(node.slice) not in expected
                yield from _read(module, node, node.slice, None, required=required)
            elif isinstance(node.ctx, ast.Store):
                yield from _set(module, node, node.slice)
        elif isinstance(node, ast.Call) and node.args and module.origin(node.func) in READERS:
            default = node.args[1] if len(node.args) > 1 else _keyword(node, "default")
            required = module.origin(node.func) == "decouple.config" and default is None and node not in maybe
            yield from _read(module, node, node.args[0], default, required=required)
        elif isinstance(node, ast.Call) and node.args and module.origin(node.func) in SETTERS:
            yield from _set(module, node, node.args[0])


def _expected_to_be_absent(module: Module, node: ast.AST) -> Iterator[str | None]:
    """Yield the variable of which a file asks whether it is there: ``"X" in os.environ``, ``os.getenv("X")``."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], (ast.In, ast.NotIn)):
        if module.origin(node.comparators[0]) == "os.environ":
            yield _text(node.left)
    elif isinstance(node, ast.Call) and node.args and module.origin(node.func) in ("os.getenv", "os.environ.get"):
        yield _text(node.args[0])


def _set(module: Module, node: ast.expr, name: ast.expr) -> Iterator[EnvironmentRead]:
    text = _text(name)
    if text is not None and APART.search(module.path) is None:
        line = module.line(node.lineno)
        yield EnvironmentRead(module.path, node.lineno, line, text, required=False, default=None, sets=True)


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


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
    at_start = module.enclosing(line) == MODULE_LEVEL
    return EnvironmentRead(module.path, line, text, name, required, kept, ignores_empty, apart, at_start)


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
    at_start = _is_made_at_start(module, node.name)
    for one in node.body:
        if not isinstance(one, ast.AnnAssign) or not isinstance(one.target, ast.Name) or _is_configuration(one):
            continue
        names, default, required = _field(one, f"{prefix[1] if prefix else ''}{one.target.id}".upper())
        for name in names:
            made = _made(module, one.lineno, name, default, required=required, ignores_empty=ignores_empty)
            yield replace(made, at_start=at_start)


def _is_made_at_start(module: Module, name: str) -> bool:
    """Whether a class is called at the level of its module, and so reads its fields when that is imported."""
    calls = (node for node in module.nodes if isinstance(node, ast.Call) and dotted(node.func) == name)
    return any(module.enclosing(call.lineno) == MODULE_LEVEL for call in calls)


def _is_configuration(node: ast.stmt) -> bool:
    if isinstance(node, ast.ClassDef):
        return node.name == "Config"
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return any(dotted(target) == "model_config" for target in targets) or "ClassVar" in ast.unparse(node)[:60]


def _field(node: ast.AnnAssign, name: str) -> tuple[list[str], ast.expr | None, bool]:
    """Return the variables of a field, its default, and whether it must be set; aliases replace the field's name."""
    value = node.value
    is_plain = _PLAIN_TYPE.match(ast.unparse(node.annotation)) is not None
    if value is None:
        return [name], None, is_plain
    if not (isinstance(value, ast.Call) and dotted(value.func).rpartition(".")[2] == "Field"):
        return [name], value, False
    default = value.args[0] if value.args else _keyword(value, "default")
    if isinstance(default, ast.Constant) and default.value is ...:
        default = None
    required = default is None and is_plain and _keyword(value, "default_factory") is None
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


_MENTION = re.compile(
    rb"\b(?:getenv|putenv|environ\s*\.\s*(?:get|setdefault)|config)\s*\(\s*[\"'A-Za-z]"
    rb"|\benviron\s*\[\s*[\"'][A-Za-z_]\w*[\"']\s*\]"
    rb"|\bin\s+(?:os\s*\.\s*)?environ\b"
    rb"|\bclass \w+\([^)]*\bBaseSettings\b"
)
_DECOUPLE = re.compile(rb"(?:from|import)\s+decouple\b")
_RENAMED = re.compile(rb"import\b[^\n#]*\b(?:environ|getenv|config|BaseSettings) as \w")


def _mentions(content: bytes) -> Iterator[re.Match[bytes]]:
    with_decouple = _DECOUPLE.search(content) is not None
    return (one for one in _MENTION.finditer(content) if with_decouple or not one[0].startswith(b"config"))


def _may_read(content: bytes) -> bool:
    return _RENAMED.search(content) is not None or any_in_code(content, _mentions(content))


def _places(content: bytes) -> list[int] | None:
    if b"BaseSettings" in content or _RENAMED.search(content):
        return None  # whether an object of the settings is made at the start may stand anywhere
    return [one.start() for one in _mentions(content)]


COLLECTOR = Collector(
    "environment-reads",
    4,
    (b"environ", b"getenv", b"decouple", b"BaseSettings"),
    _collect,
    looks=_may_read,
    within=_places,
)
