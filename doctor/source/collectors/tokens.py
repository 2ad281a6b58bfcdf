"""What a module does with JSON web tokens that nobody has verified."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from doctor.source.collector import Collector, Module
from doctor.source.expressions import FunctionNode, dotted
from doctor.source.switches import Question, Switches, SwitchReader
from doctor.source.token_flow import TokenFlow
from doctor.source.token_state import Bypass, Origin, Part, Taken
from doctor.source.tokens import DISCLAIMS, PROMISES, SAYS_SO, is_base64, reading_of

TESTS = re.compile(r"(?:^|/)(?:tests?|testing|examples?|docs?)/|(?:^|/)(?:test_[^/]*|[^/]*_test|conftest)\.py$")
"""Files whose tokens are their own."""

OWN_TOKENS = re.compile(r"(?:id|access|refresh|oauth2?|sso|new)_?token")
"""Parameters that hold what a token endpoint answered: a client reads its own token."""


@dataclass(frozen=True, slots=True)
class UnverifiedIdentity:
    """The decoding at ``line`` becomes an identity at ``taken_line``. ``fallback``: where verifying has failed."""

    path: str
    line: int
    text: str
    function: str
    taken_line: int
    taken_text: str
    returned: bool
    fallback: bool
    claim: str


@dataclass(frozen=True, slots=True)
class ChosenKeyAddress:
    """At ``line`` an address of keys is used that the token read at ``read_line`` has chosen by ``field``."""

    path: str
    line: int
    text: str
    function: str
    read_line: int
    read_text: str
    field: str


@dataclass(frozen=True, slots=True)
class OpenByDefault:
    """At ``line`` something passes without verification, if ``switches`` are as they are by default.

    ``what`` names it. ``switches`` are (line, text) of conditions that this module's own defaults make true, and
    ``defaults`` the lines that show it; ``questions`` are about settings of other modules.
    """

    path: str
    line: int
    text: str
    module: str
    function: str
    what: str
    switches: tuple[tuple[int, str], ...]
    defaults: tuple[tuple[int, str], ...]
    questions: tuple[Question, ...]


Fact = UnverifiedIdentity | ChosenKeyAddress | OpenByDefault


def _collect(module: Module) -> Iterator[Fact]:
    if TESTS.search(module.path) or not _reads_tokens(module):
        return
    flow = TokenFlow(module).run()
    yield from _identities(flow, module)
    for address in flow.addresses.values():
        origin = address.origin
        yield ChosenKeyAddress(
            module.path,
            address.line,
            module.line(address.line),
            address.function,
            origin.line,
            module.line(origin.line),
            origin.key,
        )
    if flow.taken or flow.bypasses or flow.choices:
        yield from _open(flow, module)


def _reads_tokens(module: Module) -> bool:
    calls = (node for node in module.nodes if isinstance(node, ast.Call))
    return any(is_base64(call) or reading_of(call, module, {}) is not None for call in calls)


def _identities(flow: TokenFlow, module: Module) -> Iterator[UnverifiedIdentity]:
    seen: set[int] = set()
    for taken in sorted(flow.taken, key=lambda one: (one.origin.part is not Part.IDENTITY, one.line)):
        origin = taken.origin
        if origin.line in seen or not _is_identity(taken, flow, module):
            continue
        seen.add(origin.line)
        yield UnverifiedIdentity(
            module.path,
            origin.line,
            module.line(origin.line),
            taken.function,
            taken.line,
            module.line(taken.line),
            taken.returned,
            origin.fallback,
            origin.key,
        )


def _is_identity(taken: Taken, flow: TokenFlow, module: Module) -> bool:
    """Whether what leaves a function is taken for an identity: by its key, by the function's name, or as a fallback."""
    origin, name = taken.origin, taken.function.rpartition(".")[2]
    if origin.fallback:
        return bool(origin.sender)
    function = flow.functions.get(taken.function)
    if not _is_incoming(origin, taken, flow) or SAYS_SO.search(name) or _disclaims(function):
        return False
    if origin.part is Part.IDENTITY:
        return True
    return taken.returned and (bool(PROMISES.search(name)) or _is_dependency(function))


def _disclaims(function: FunctionNode | None) -> bool:
    """Whether the docstring says that the result is no proof of anything; a dependency's caller reads no docstring."""
    text = None if function is None or _is_dependency(function) else ast.get_docstring(function)
    return text is not None and bool(DISCLAIMS.search(text))


def _is_incoming(origin: Origin, taken: Taken, flow: TokenFlow) -> bool:
    """Whether somebody else has sent the token, as far as can be told."""
    if not origin.sender:
        return False
    return not OWN_TOKENS.search(origin.sender) or _is_dependency(flow.functions.get(taken.function))


def _is_dependency(function: FunctionNode | None) -> bool:
    """Whether a framework calls it for its result: ``token: str = Depends(…)``."""
    if function is None:
        return False
    defaults = [*function.args.defaults, *(one for one in function.args.kw_defaults if one is not None)]
    calls = {dotted(one.func).rpartition(".")[2] for one in defaults if isinstance(one, ast.Call)}
    return bool(calls & {"Depends", "Security", "Header", "Cookie"})


def _open(flow: TokenFlow, module: Module) -> Iterator[OpenByDefault]:
    reader = SwitchReader(module)
    for taken in flow.taken:
        if taken.origin.fallback or _is_incoming(taken.origin, taken, flow):
            yield from _switched(taken, "claims that nobody verified", reader.of(taken.path, taken.function), module)
    for bypass in flow.bypasses:
        switches = reader.of(bypass.path, bypass.function)
        yield from _switched(bypass, "a request without any verification", switches, module)
    for line, option, function in flow.choices:
        value = reader.value(option, function)
        if value.known and value.environment and not value.value:
            what, switch = "a token whose signature is not checked", (line, ast.unparse(option))
            defaults = reader.defaults(option)
            place = (module.path, line, module.line(line), module.name, function, what)
            yield OpenByDefault(*place, (switch,), defaults, ())


def _switched(place: Taken | Bypass, what: str, switches: Switches, module: Module) -> Iterator[OpenByDefault]:
    if not switches.blocked and (switches.on or switches.questions):
        yield OpenByDefault(
            module.path,
            place.line,
            module.line(place.line),
            module.name,
            place.function,
            what,
            switches.on,
            switches.defaults,
            switches.questions,
        )


COLLECTOR = Collector("tokens", 2, (b"jwt",), _collect)
