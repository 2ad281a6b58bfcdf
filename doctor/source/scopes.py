"""The walk over a syntax tree and the names that each function and module binds on the way."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from doctor.source import wrapping
from doctor.source.bindings import bindings_of
from doctor.source.expressions import FunctionNode, parameters
from doctor.source.facts import MAIN_BLOCK, MODULE_LEVEL
from doctor.source.module_facts import Binding, BindingKind, Bindings, RawDecorator, RawHandler, RawImport
from doctor.source.walk import children, walk

TEXT_LIMIT = 200
"""Characters of source that a fact keeps for showing."""


@dataclass(slots=True)
class Scope:
    """A module or a function while it is being read. ``body`` is None for a module."""

    node: FunctionNode | ast.Module
    qualname: str = MODULE_LEVEL
    body: wrapping.Body | None = None
    decorators: tuple[RawDecorator, ...] = ()
    bindings: dict[str, list[Binding]] = field(default_factory=dict)
    outer_names: set[str] = field(default_factory=set)
    guards: list[Callable[[], RawHandler]] = field(default_factory=list)
    tests: list[ast.expr] = field(default_factory=list)
    loops: int = 0
    calls: dict[str, int] = field(default_factory=dict)
    awaited: dict[str, None] = field(default_factory=dict)
    made: dict[str, None] = field(default_factory=dict)
    assigned: dict[str, None] = field(default_factory=dict)
    """Attributes that are given a value."""
    at_once: set[str] = field(default_factory=set)
    """Those of the calls that stand outside of lambdas."""
    raises: bool = False
    writes: bool = False

    def bind(self, name: str, *bindings: Binding) -> None:
        """Add what is known of a name; ``global`` names belong to another scope."""
        if name not in self.outer_names:
            self.bindings.setdefault(name, []).extend(bindings)

    def frozen(self) -> Bindings:
        """Return the names with their distinct bindings."""
        return {name: tuple(dict.fromkeys(bindings)) for name, bindings in self.bindings.items()}


class NameWalker:
    """Walks a tree and fills the scopes. ``handlers`` maps a node's class to the method that reads it."""

    def __init__(self, tree: ast.Module, lines: list[str]) -> None:
        self.lines = lines
        self.scopes = [Scope(tree)]
        self.main = Scope(tree, MAIN_BLOCK)
        self.in_main = False
        self.for_types = False
        """Whether only a type checker sees the statement."""
        self.prefix = ""
        self.binds = True
        """Whether names are bound in the scope; not so in a class body and in a comprehension."""
        self.hidden: list[set[str]] = []
        """Names that comprehensions and lambdas around here bind for themselves."""
        self.stars: list[Binding] = []
        self.imports: list[RawImport] = []
        self.handlers: dict[type[ast.AST], Callable[[Any], None]] = {
            ast.Import: self._import,
            ast.ImportFrom: self._import_from,
            ast.Global: self._outer,
            ast.Nonlocal: self._outer,
            ast.Name: self._name,
            ast.Assign: lambda node: self._assignment(node.targets, node.value),
            ast.AnnAssign: lambda node: self._assignment([node.target], node.value, node.annotation),
            ast.NamedExpr: lambda node: self._assignment([node.target], node.value),
            ast.ExceptHandler: self._except_handler,
            ast.Lambda: lambda node: self._hiding(set(parameters(node)), node),
            ast.ListComp: self._comprehension,
            ast.SetComp: self._comprehension,
            ast.DictComp: self._comprehension,
            ast.GeneratorExp: self._comprehension,
        }

    @property
    def scope(self) -> Scope:
        """The innermost function, or the module."""
        return self.scopes[-1]

    @property
    def calling(self) -> Scope:
        """The innermost function, or what of the module runs here: its body, or its main block."""
        return self.main if self.in_main and len(self.scopes) == 1 else self.scopes[-1]

    def visit(self, node: ast.AST) -> None:
        """Read one node and those inside it."""
        handler = self.handlers.get(node.__class__)
        if handler is None:
            self.visit_children(node)
        else:
            handler(node)

    def visit_children(self, node: ast.AST) -> None:
        """Read the nodes inside a node."""
        handlers = self.handlers
        for child in children(node):  # as `visit`, by hand: this is where a pass spends its time
            handler = handlers.get(child.__class__)
            if handler is not None:
                handler(child)
            elif child.__class__ is not ast.Constant:
                self.visit_children(child)

    def visit_all(self, nodes: Iterable[ast.AST | None]) -> None:
        """Read several nodes."""
        for node in nodes:
            if node is not None:
                self.visit(node)

    def bind(self, name: str, *bindings: Binding) -> None:
        """Bind a name in the innermost scope, unless it stays in a class or a comprehension."""
        if self.binds:
            self.scope.bind(name, *bindings)

    def is_hidden(self, dotted_name: str) -> bool:
        """Tell whether the first part is a variable of a comprehension or lambda around here."""
        return any(dotted_name.partition(".")[0] in names for names in self.hidden)

    def text(self, first: int, last: int) -> str:
        """Return the source of some lines as one, cut to a length for showing."""
        text = " ".join(line.strip() for line in self.lines[first - 1 : last])
        return text if len(text) <= TEXT_LIMIT else f"{text[:TEXT_LIMIT]}…"

    def _import(self, node: ast.Import) -> None:
        for alias in node.names:
            module = alias.name if alias.asname else alias.name.partition(".")[0]
            self.bind(alias.asname or module, Binding(BindingKind.MODULE, module=module))
            self._imported(alias.name, (), 0, node.lineno)

    def _import_from(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        for alias in node.names:
            binding = Binding(BindingKind.IMPORTED, alias.name, module, node.level)
            if alias.name == "*":
                self.stars.append(binding)
            else:
                self.bind(alias.asname or alias.name, binding)
        names = tuple(alias.name for alias in node.names)
        self._imported(module, names, node.level, node.lineno)

    def _imported(self, module: str, names: tuple[str, ...], level: int, line: int) -> None:
        function = "" if self.for_types else self.calling.qualname
        self.imports.append(RawImport(module, names, level, line, self.text(line, line), function))

    def _outer(self, node: ast.Global | ast.Nonlocal) -> None:
        self.scope.outer_names.update(node.names)

    def _name(self, node: ast.Name) -> None:
        if not isinstance(node.ctx, ast.Load):
            self.bind(node.id, Binding(BindingKind.OTHER))

    def _assignment(
        self, targets: Iterable[ast.expr], value: ast.expr | None, annotation: ast.expr | None = None
    ) -> None:
        for target in targets:
            if isinstance(target, ast.Name):
                self.bind(target.id, *bindings_of(value, annotation))
            else:
                self.visit(target)
            if isinstance(target, ast.Attribute):
                self.scope.assigned[target.attr] = None
            if value is not None and self.scope.body is not None:
                self.scope.body.note_assignment(target, value)
        if value is not None:
            self.visit(value)

    def _except_handler(self, node: ast.ExceptHandler) -> None:
        if node.name is not None:
            self.bind(node.name, Binding(BindingKind.OTHER))
        self.visit_children(node)

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> None:
        targets = (inner for generator in node.generators for inner in walk(generator.target))
        binds, self.binds = self.binds, False
        self._hiding({inner.id for inner in targets if isinstance(inner, ast.Name)}, node)
        self.binds = binds

    def _hiding(self, names: set[str], node: ast.AST) -> None:
        self.hidden.append(names)
        self.visit_children(node)
        self.hidden.pop()
