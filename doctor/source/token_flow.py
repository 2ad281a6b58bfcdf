"""Follows the parts of unverified tokens through the functions of one module, branch by branch.

It reports where an identity that nobody verified is returned or assigned, and where an address of signing keys is made
of what a token says of itself. A value counts as checked once it was compared with a value of the program's own.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from doctor.source.collector import Module
from doctor.source.expressions import dotted, parameters
from doctor.source.facts import MODULE_LEVEL
from doctor.source.token_checks import checks_in, places
from doctor.source.token_state import (
    NOTHING,
    UNVERIFIED,
    Bypass,
    KeyAddress,
    Origin,
    Origins,
    Part,
    State,
    Taken,
    joined,
)
from doctor.source.token_values import Values, logs
from doctor.source.token_verifying import Verifying, assigned_once, local_name, only_after_the_signature
from doctor.source.tokens import verify_option

DEPTH = 4
"""Functions of the module that call one another, followed no deeper than this."""

CALLS = 400
"""Calls that are followed in one module; nobody's module needs more."""


class TokenFlow:
    """Runs every function of a module once, and those that they call with what they are given."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.functions = dict(module.functions)
        self.verifying = Verifying(module)
        self.values = Values(self)
        self.taken: dict[Taken, None] = {}
        self.addresses: dict[int, KeyAddress] = {}
        self.bypasses: list[Bypass] = []
        self.choices: list[tuple[int, ast.expr, str]] = []
        """Lines of decodings that verify or not, the expression that says so, and the function around them."""
        self.stack: list[str] = []
        self.returned: list[Origins] = []
        self.in_try: list[dict[str, Origins]] = []
        self.certain: list[bool] = []
        self.of_module = assigned_once(module.tree)
        self.constants: dict[str, ast.expr] = {}
        self.calls = 0
        self.statements: dict[type[ast.stmt], Callable[[Any, State], State]] = {
            ast.If: self._if,
            ast.Try: self._try,
            ast.For: self._loop,
            ast.AsyncFor: self._loop,
            ast.While: self._loop,
            ast.With: self._with,
            ast.AsyncWith: self._with,
            ast.Return: self._return,
            ast.Raise: self._ends,
            ast.Continue: self._ends,
            ast.Break: self._ends,
            ast.Assign: self._assign,
            ast.AnnAssign: self._assign,
            ast.AugAssign: self._augment,
            ast.Expr: self._expression,
            ast.Assert: self._assert,
            ast.Match: self._match,
        }

    def run(self) -> TokenFlow:
        """Follow everything, and return this flow with what it has found."""
        if not self.verifying.concerned:
            return self
        self._body(MODULE_LEVEL, self.module.tree.body, State(), self.module.tree)
        for name in self.verifying.concerned:
            function, state = self.functions[name], State()
            for parameter in parameters(function):
                if parameter not in ("self", "cls"):
                    state.names[parameter] = frozenset({Origin(Part.TOKEN, function.lineno, parameter)})
            self._body(name, function.body, state, function)
        return self

    # What the expressions ask for

    def target(self, call: ast.Call) -> str | None:
        """Return the function of this module that a call leads to."""
        name = local_name(call, self.stack[-1])
        if name in self.stack or len(self.stack) > DEPTH or self.calls > CALLS:
            return None
        return name if name in self.functions else None

    def leads_somewhere(self, name: str, given: Origins) -> bool:
        """Whether a call must be followed: a token is read there, or a part of one is handed over."""
        return name in self.verifying.concerned or any(one.part in UNVERIFIED for one in given)

    def enter(self, node: ast.Call, name: str, state: State) -> Origins:
        """Run a function of this module with what it is given; return what comes back."""
        self.calls += 1
        function = self.functions[name]
        names = parameters(function)
        if names[:1] in (["self"], ["cls"]):
            names = names[1:]
        inside = State(checked=state.checked, verified=state.verified, fallback=state.fallback, proven=state.proven)
        given = dict(zip(names, node.args, strict=False)) | {word.arg: word.value for word in node.keywords if word.arg}
        inside.names = {name: self.values.of(value, state) for name, value in given.items()}
        found, after = self._body(name, function.body, inside, function)
        state.checked, state.verified = after.checked, after.verified
        state.has_read = state.has_read or after.has_read
        return frozenset(one for one in found if not (one.part is Part.TOKEN and one.line == function.lineno))

    def bind(self, target: ast.expr, value: Origins, state: State) -> None:
        """Give a name its value."""
        if isinstance(target, (ast.Name, ast.Attribute)):
            name = dotted(target)
            state.names[name] = value
            for around in self.in_try:
                around[name] = around.get(name, NOTHING) | value
        elif isinstance(target, (ast.Tuple, ast.List)):
            for element in target.elts:
                self.bind(element.value if isinstance(element, ast.Starred) else element, value, state)

    def checks(self, test: ast.expr, state: State) -> tuple[frozenset[tuple[int, str]], frozenset[tuple[int, str]]]:
        """Return which values count as checked where the test holds, and where it does not."""
        return checks_in(test, lambda node: self.values.of(node, state))

    def verified(self, state: State, *, certain: bool) -> None:
        """Note that the signature is checked here, or very likely so."""
        state.verified = True

    def depends(self, node: ast.Call) -> None:
        """Note a decoding that verifies or not, as an expression says."""
        option = verify_option(node, self.constants)
        if option is not None:
            self.choices.append((node.lineno, option, self.stack[-1]))

    def key_address(self, node: ast.Call, origin: Origin) -> None:
        """Note an address of keys that the token has chosen."""
        self.addresses.setdefault(origin.line, KeyAddress(origin, self.stack[-1], node.lineno))

    # Statements

    def _body(self, name: str, body: list[ast.stmt], state: State, node: ast.AST) -> tuple[Origins, State]:
        self.stack.append(name)
        self.returned.append(NOTHING)
        outer, self.constants = self.constants, self.of_module | assigned_once(node)
        tries, self.in_try = self.in_try, []
        after = self._run(body, state)
        self.constants, self.in_try = outer, tries
        self.stack.pop()
        return self.returned.pop(), after

    def _run(self, body: list[ast.stmt], state: State) -> State:
        for statement in body:
            if state.ended:
                break
            handler = self.statements.get(statement.__class__)
            if handler is not None:
                state = handler(statement, state)
        return state

    def _if(self, node: ast.If, state: State) -> State:
        self.values.of(node.test, state)
        positive, negative = self.checks(node.test, state)
        yes = self._run(node.body, state.leads_on(node.test, True, positive))
        no = self._run(node.orelse, state.leads_on(node.test, False, negative))
        return joined(yes, no, state.path)

    def _match(self, node: ast.Match, state: State) -> State:
        self.values.of(node.subject, state)
        after = state.copy()
        for case in node.cases:
            after = joined(after, self._run(case.body, state.copy()), state.path)
        return after

    def _try(self, node: ast.Try, state: State) -> State:
        bound: dict[str, Origins] = {}
        self.in_try.append(bound)
        after = self._run([*node.body, *node.orelse], state.copy())
        self.in_try.pop()
        result = after
        fails_here = self.verifying.holds(node.body, self.stack[-1], self.constants)
        for handler in node.handlers:
            inside = state.copy()
            for name, value in bound.items():
                inside.names[name] = inside.names.get(name, NOTHING) | value
            inside.has_read = inside.has_read or after.has_read
            if fails_here:
                inside.proven = only_after_the_signature(handler)
                inside.fallback = not inside.proven
            end = self._run(handler.body, inside)
            end.fallback, end.proven = state.fallback, state.proven
            result = joined(result, end, state.path)
        return self._run(node.finalbody, result) if node.finalbody else result

    def _loop(self, node: ast.For | ast.AsyncFor | ast.While, state: State) -> State:
        inside = state.copy()
        if not isinstance(node, ast.While):
            self.bind(node.target, self.values.of(node.iter, state), inside)
        first = self._run(node.body, inside)
        first.ended = False
        return self._run(node.orelse, joined(state, first, state.path))

    def _with(self, node: ast.With | ast.AsyncWith, state: State) -> State:
        for item in node.items:
            value = self.values.of(item.context_expr, state)
            if item.optional_vars is not None:
                self.bind(item.optional_vars, value, state)
        return self._run(node.body, state)

    def _return(self, node: ast.Return, state: State) -> State:
        value = self.values.of(node.value, state)
        self._leaves(value, node.lineno, state, returned=True)
        self.returned[-1] |= frozenset(one for one in value if not state.verified or one.part is Part.TOKEN)
        if node.value is not None and self._answers(node.value, state):
            self.bypasses.append(Bypass(self.stack[-1], node.lineno, state.path))
        state.ended = True
        return state

    def _ends(self, node: ast.stmt, state: State) -> State:
        state.ended = True
        return state

    def _assign(self, node: ast.Assign | ast.AnnAssign, state: State) -> State:
        value = self.values.of(node.value, state)
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            self.bind(target, value, state)
            holder = target.value if isinstance(target, ast.Subscript) else target
            if isinstance(holder, ast.Attribute):
                self._leaves(value, node.lineno, state, returned=False)
        return state

    def _augment(self, node: ast.AugAssign, state: State) -> State:
        together = ast.BinOp(node.target, node.op, node.value)
        self.bind(node.target, self.values.of(together, state), state)
        return state

    def _expression(self, node: ast.Expr, state: State) -> State:
        value = node.value.value if isinstance(node.value, ast.Await) else node.value
        self.values.of(node.value, state)
        if isinstance(value, ast.Call) and not logs(value) and self.target(value) is None:
            # It may raise when it does not like what it is given, and that is all that it can be called for.
            given = [*value.args, *(word.value for word in value.keywords)]
            every = NOTHING.union(*[self.values.of(argument, state) for argument in given])
            state.checked |= places(every)
        return state

    def _assert(self, node: ast.Assert, state: State) -> State:
        self.values.of(node.test, state)
        positive, _ = self.checks(node.test, state)
        return state.leads_on(node.test, True, positive)

    # What is reported

    def _leaves(self, value: Origins, line: int, state: State, *, returned: bool) -> None:
        if state.verified or (returned and len(self.stack) > 1):  # what a called function returns, its caller handles
            return
        for one in value:
            if one.part in (Part.IDENTITY, Part.CLAIMS, Part.WHOLE):
                self.taken[Taken(one, self.stack[-1], line, returned, state.path)] = None

    def _answers(self, node: ast.expr, state: State) -> bool:
        """Whether a function that verifies returns something else than a refusal before it has read a token."""
        name = self.stack[-1]
        if name not in self.verifying.names or state.has_read or state.verified:
            return False
        if isinstance(node, ast.Constant):
            return isinstance(node.value, str) or node.value is True
        call = node.value if isinstance(node, ast.Await) else node
        if isinstance(call, ast.Call) and _goes_on(call):
            return True
        given = set(parameters(self.functions[name])) - {"self", "cls"}
        return not any(isinstance(one, ast.Name) and one.id in given for one in ast.walk(node))


def _goes_on(call: ast.Call) -> bool:
    """Whether a call hands the request on to what it was to protect."""
    if dotted(call.func).rpartition(".")[2] in ("call_next", "get_response"):
        return True
    return any(isinstance(one, ast.Starred) for one in call.args) and any(word.arg is None for word in call.keywords)
