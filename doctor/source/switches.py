"""The conditions on the way to a statement, and what they are when no environment variable is set."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from doctor.source.collector import Module
from doctor.source.expressions import FunctionNode, dotted
from doctor.source.token_state import Path
from doctor.source.unset import UNKNOWN, Unset, Value, compared

Condition = tuple[ast.expr, bool]

_PERMITS = re.compile(
    r"allow|unverified|insecure|unsafe|skip|disabl|bypass|no_?auth|without_|debug|mock|fake|demo"
    r"|(?:^|[^a-z])(?:dev|development|develop|local|test|testing)(?:$|[^a-z])",
    re.IGNORECASE,
)
_PROTECTS = re.compile(
    r"prod|(?:^|[^a-z])live|staging|verif|require|strict|enabl|secure|enforce|validat", re.IGNORECASE
)
_YES, _NO = frozenset({"true", "1", "yes", "on"}), frozenset({"false", "0", "no", "off", ""})

_OPERATORS: dict[str, ast.cmpop] = {"==": ast.Eq(), "!=": ast.NotEq(), "in": ast.In(), "not in": ast.NotIn()}
_TEXT_METHODS = (".lower()", ".upper()", ".strip()", ".casefold()")


@dataclass(frozen=True, slots=True)
class Question:
    """A condition about a setting of another module. ``operator`` is empty for a plain test of truth."""

    reference: str
    operator: str
    value: Any
    wanted: bool

    def answer(self, default: Any) -> bool | None:
        """Return whether the condition is as wanted when the setting has its default."""
        if not self.operator:
            return bool(default) is self.wanted
        outcome = compared(_OPERATORS[self.operator], default, self.value)
        return None if outcome is None else outcome is self.wanted


@dataclass(frozen=True, slots=True)
class Switches:
    """The conditions on a way: ``on`` are those that defaults of the environment make true, as (line, text).

    ``defaults`` are the lines of the conditions and of the assignments to what they name. ``blocked``: with nothing
    set, the way is closed. ``questions`` are for other modules.
    """

    on: tuple[tuple[int, str], ...] = ()
    defaults: tuple[tuple[int, str], ...] = ()
    blocked: bool = False
    questions: tuple[Question, ...] = ()


class SwitchReader:
    """Reads the conditions in the functions of one module."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.unset = Unset(module)
        self.functions = dict(module.functions)

    def of(self, path: Path, function: str) -> Switches:
        """Return what the defaults make of the conditions on a way through a function."""
        names, owner = self.unset.local(function), owner_of(function)
        on, defaults, questions, blocked = [], dict[tuple[int, str], None](), [], False
        for test, wanted in _parts(path):
            value = self.unset.of(test, names, owner)
            if value.known:
                blocked = blocked or bool(value.value) is not wanted
                if value.environment and permits(test) is wanted:
                    on.append((test.lineno, ast.unparse(test)))
                    defaults |= dict.fromkeys(self.defaults(test))
            elif permits(test) is wanted and (question := self._question(test, wanted, function)) is not None:
                questions.append(question)
        return Switches(tuple(on), tuple(defaults), blocked, tuple(questions))

    def value(self, node: ast.expr, function: str) -> Value:
        """Return what an expression in a function is worth with nothing set."""
        return self.unset.of(node, self.unset.local(function), owner_of(function))

    def defaults(self, test: ast.expr) -> tuple[tuple[int, str], ...]:
        """Return the lines that assign to the names of a condition, then its own, with their texts."""
        names = {dotted(node) for node in ast.walk(test) if isinstance(node, (ast.Name, ast.Attribute))}
        stored = (
            node.lineno
            for node in self.module.nodes
            if isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Store) and dotted(node) in names
        )
        return tuple((line, self.module.line(line)) for line in (*sorted(stored), test.lineno))

    def _question(self, test: ast.expr, wanted: bool, function: str) -> Question | None:
        left, operator, value = test, "", UNKNOWN
        if isinstance(test, ast.Compare) and len(test.ops) == 1:
            left = test.left
            operator = next((name for name, one in _OPERATORS.items() if type(one) is type(test.ops[0])), "")
            value = self.unset.of(test.comparators[0], {}, "")
            if not operator or not value.known:
                return None
        name = dotted(left)
        for method in _TEXT_METHODS:
            name = name.replace(method, "")
        reference = self._absolute(name.replace("()", ""), function)
        return Question(reference, operator, value.value, wanted) if reference else None

    def _absolute(self, name: str, function: str) -> str:
        """Return the full name of a setting of another module, or nothing."""
        first, dot, rest = name.partition(".")
        first = _annotation(self.functions.get(function), first) or first
        top, inner_dot, inner = first.partition(".")
        origin = self.module.origins.get(top)
        if origin is None:
            return ""
        return absolute(f"{origin}{inner_dot}{inner}{dot}{rest}", self.module)


def permits(test: ast.expr) -> bool | None:
    """Return whether a condition relaxes what is checked where it holds (False: where it does not), by its words."""
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return _leaning(ast.unparse(test))
    negated = isinstance(test.ops[0], (ast.NotEq, ast.NotIn, ast.IsNot))
    constants = [one.value for one in ast.walk(test.comparators[0]) if isinstance(one, ast.Constant)]
    words = [str(one).lower() for one in constants]
    leaning = _leaning(" ".join(words))
    if leaning is None and words and _YES.issuperset(words):
        leaning = _leaning(ast.unparse(test.left))
    elif leaning is None and words and _NO.issuperset(words):
        negated, leaning = not negated, _leaning(ast.unparse(test.left))
    return None if leaning is None else leaning is not negated


def _leaning(words: str) -> bool | None:
    if _PERMITS.search(words):
        return True
    return False if _PROTECTS.search(words) else None


def owner_of(function: str) -> str:
    """Return the class around a method, or nothing."""
    return function.partition(".<locals>")[0].rpartition(".")[0]


def absolute(origin: str, module: Module) -> str:
    """Return a name with the leading dots of a relative import resolved."""
    return module.absolute(origin)


def _annotation(function: FunctionNode | None, name: str) -> str:
    if function is None:
        return ""
    arguments = (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
    found = (one.annotation for one in arguments if one.arg == name and one.annotation is not None)
    text = dotted(next(found, None))
    return "" if "?" in text else text


def _parts(path: Path) -> Iterator[Condition]:
    for test, wanted in path:
        yield from _split(test, wanted)


def _split(test: ast.expr, wanted: bool) -> Iterable[Condition]:
    """Take apart what must hold together: ``a and b`` that is true, ``a or b`` that is false."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return _split(test.operand, not wanted)
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) is wanted:
        return [part for operand in test.values for part in _split(operand, wanted)]
    return [(test, wanted)]
