"""Classes of SQLAlchemy, SQLModel and Django that stand for a table with vectors: the table, and each column's name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from doctor.source.collector import Collector, Module
from doctor.source.expressions import dotted, text_of, whole_numbers

_VECTORS = re.compile(r"(?:^|\.)(?:Vector|VECTOR|HALFVEC|HalfVector|VectorField|HalfVectorField)$")
_COLUMNS = frozenset({"Column", "mapped_column"})
_UPPER = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_PARTS = 200
"""Nodes of the value of one attribute in which a type is looked for."""


@dataclass(frozen=True, slots=True)
class VectorModel:
    """A class with its table, quoted, and attribute → column for those that it declares itself.

    ``dimensions`` are column → number of dimensions, where the class says it; ``vectors`` the attributes that stand for
    vectors.
    """

    path: str
    line: int
    identity: str
    table: str
    columns: tuple[tuple[str, str], ...]
    dimensions: tuple[tuple[str, int], ...] = ()
    vectors: tuple[str, ...] = ()

    def column(self, attribute: str) -> str:
        """Return the name of the column that an attribute stands for."""
        return dict(self.columns).get(attribute, attribute)


def _collect(module: Module) -> Iterator[VectorModel]:
    for node in module.nodes:
        if isinstance(node, ast.ClassDef):
            values = dict(_declared(node))
            if any(map(_is_vector, values.values())) and (table := _table(module, node, values)):
                columns = tuple((name, _column(name, value)) for name, value in values.items())
                known = whole_numbers(module.tree)
                numbers = {_column(name, value): _dimensions(value, known) for name, value in values.items()}
                dimensions = tuple((column, number) for column, number in numbers.items() if number is not None)
                identity = f"{module.name}.{node.name}"
                vectors = tuple(name for name, value in values.items() if _is_vector(value))
                yield VectorModel(module.path, node.lineno, identity, table, columns, dimensions, vectors)


def _declared(node: ast.ClassDef) -> Iterator[tuple[str, ast.expr]]:
    """Yield the attributes to which a class gives a value."""
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value:
            yield statement.target.id, statement.value
        elif isinstance(statement, ast.Assign):
            yield from ((target.id, statement.value) for target in statement.targets if isinstance(target, ast.Name))


def _is_vector(value: ast.expr) -> bool:
    return any(isinstance(part, (ast.Name, ast.Attribute)) and _VECTORS.search(dotted(part)) for part in _parts(value))


def _parts(value: ast.expr) -> list[ast.AST]:
    """Return the nodes of a value in which a type is looked for."""
    if not isinstance(value, ast.Call):
        return []
    return [part for part, _ in zip(ast.walk(value), range(_PARTS), strict=False)]


def _dimensions(value: ast.expr, known: Mapping[str, tuple[int, int]]) -> int | None:
    """Return the number in ``Vector(768)`` or ``VectorField(dimensions=SIZE)``, where the module says it."""
    for part in _parts(value):
        if isinstance(part, ast.Call) and _VECTORS.search(dotted(part.func)):
            named = [word.value for word in part.keywords if word.arg in ("dim", "dimensions")]
            for given in (*part.args[:1], *named):
                if isinstance(given, ast.Constant) and isinstance(given.value, int):
                    return given.value
                if isinstance(given, ast.Name) and given.id in known:
                    return known[given.id][0]
    return None


def _column(name: str, value: ast.expr) -> str:
    """Return the name of a column: what ``Column("name", …)`` or ``db_column="name"`` says, else the attribute's."""
    if not isinstance(value, ast.Call):
        return name
    given = {keyword.arg: keyword.value for keyword in value.keywords}
    last = dotted(value.func).rpartition(".")[2]
    if last == "ForeignKey" and "db_column" not in given:
        return f"{name}_id"
    if inner := given.get("sa_column"):
        return _column(name, inner)
    named = value.args[0] if last in _COLUMNS and value.args else given.get("db_column", given.get("name"))
    return (None if named is None else text_of(named)) or name


def _table(module: Module, node: ast.ClassDef, values: Mapping[str, ast.expr]) -> str | None:
    """Return the quoted table; None where nothing says which it is."""
    if any(dotted(base).endswith("Model") and dotted(base).startswith("models") for base in node.bases):
        return _django_table(module, node)
    keywords = {keyword.arg: keyword.value for keyword in node.keywords}
    name = text_of(values["__tablename__"]) if "__tablename__" in values else None
    if "__tablename__" in values and name is None:
        return None
    if name is None and isinstance(keywords.get("table"), ast.Constant):
        name = node.name.lower()  # as SQLModel does
    if name is None and any(dotted(base) == "db.Model" for base in node.bases):
        name = _UPPER.sub("_", node.name).lower()  # as Flask-SQLAlchemy does
    return None if name is None else _quoted(_schema(values.get("__table_args__")), name)


def _schema(arguments: ast.expr | None) -> str | None:
    last = arguments.elts[-1] if isinstance(arguments, ast.Tuple) and arguments.elts else arguments
    if not isinstance(last, ast.Dict):
        return None
    named = {text_of(key): value for key, value in zip(last.keys, last.values, strict=True) if key is not None}
    return text_of(named["schema"]) if "schema" in named else None


def _django_table(module: Module, node: ast.ClassDef) -> str | None:
    meta = next((one for one in node.body if isinstance(one, ast.ClassDef) and one.name == "Meta"), None)
    said = {} if meta is None else {name: text_of(value) for name, value in _declared(meta)}
    if "abstract" in said:
        return None
    package = module.name.partition(".models")[0].rpartition(".")[2]
    table = said.get("db_table") or f"{said.get('app_label') or package}_{node.name.lower()}"
    return _quoted(None, table)


def _quoted(schema: str | None, name: str) -> str | None:
    parts = [part for part in (schema, name) if part]
    return None if any('"' in part for part in parts) else ".".join(f'"{part}"' for part in parts)


_IS_MODEL = re.compile(rb"__tablename__|\btable\s*=\s*True|\bdb\.Model\b|\bmodels\.\w*Model\b")
"""What a file with a model says besides the type of its column."""

COLLECTOR = Collector(
    "vector-models",
    3,
    (b"Vector(", b"VECTOR(", b"HALFVEC(", b"VectorField("),
    _collect,
    looks=lambda content: _IS_MODEL.search(content) is not None,
)
