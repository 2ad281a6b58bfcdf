"""What an expression makes of the parts of a token."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from doctor.source.expressions import dotted
from doctor.source.token_state import NOTHING, UNVERIFIED, Origin, Origins, Part, State
from doctor.source.tokens import IDENTITY_CLAIMS, Reading, is_base64, may_verify, reading_of, token_argument

if TYPE_CHECKING:
    from doctor.source.token_flow import TokenFlow

KEY_ADDRESS = re.compile(r"jwks|/\.well-known/|/certs\b|/discovery/|/oauth2?/\S*keys|openid-configuration")
"""Text that only an address of signing keys, or of the document that names it, contains."""

HTTP = re.compile(r"(?:requests|httpx|urllib\.request|urllib3|aiohttp)\..*(?:get|post|request|urlopen|open|Request)$")
FETCHES = frozenset({"get", "post", "request", "fetch", "urlopen", "get_json", "fetch_json"})

_KEPT = frozenset(
    (
        "strip",
        "lstrip",
        "rstrip",
        "lower",
        "upper",
        "removeprefix",
        "removesuffix",
        "replace",
        "encode",
        "decode",
        "casefold",
        "split",
        "rsplit",
        "partition",
        "rpartition",
        "copy",
        "items",
        "values",
        "format",
        "join",
        "geturl",
    )
)
_MADE_OF = frozenset({"str", "dict", "list", "tuple", "bytes", "cast", "typing.cast", "SimpleNamespace", "Munch"})
_JOINS = frozenset({"urllib.parse.urljoin", "os.path.join", "urllib.parse.urlparse", "urllib.parse.quote"})
_SAYS_NOTHING = frozenset({"len", "bool", "isinstance", "any", "all", "int", "float", "type", "hash", "print", "repr"})
_KEEPS_TO_ITSELF = frozenset(
    {"get", "pop", "setdefault", "append", "add", "startswith", "endswith", "match", "fullmatch"}
)
_URL = frozenset({"url", "uri", "jwks_url", "jwks_uri"})
_LOGS = frozenset({"debug", "info", "warning", "warn", "error", "exception", "critical", "log", "success", "trace"})
_RESPONSE_KEYS = frozenset({"id_token", "access_token", "refresh_token"})
_OF_A_REQUEST = re.compile(r"\b(?:request|req|headers?|cookies?|credentials?|authorization|handler)\b")


def logs(call: ast.Call) -> bool:
    """Whether a call only writes something down for people."""
    return (isinstance(call.func, ast.Attribute) and call.func.attr in _LOGS) or dotted(call.func) == "print"


class Values:
    """Evaluates expressions over a :class:`State`; the calls that lead into the same file go back to the flow."""

    def __init__(self, flow: TokenFlow) -> None:
        self.flow = flow
        self.module = flow.module
        self.by_kind: dict[type[ast.AST], Any] = {
            ast.Name: lambda node, state: state.names.get(node.id, NOTHING),
            ast.Attribute: self._attribute,
            ast.Subscript: self._subscript,
            ast.Call: self._call,
            ast.Await: self._await,
            ast.JoinedStr: self._formatted,
            ast.FormattedValue: lambda node, state: self.of(node.value, state),
            ast.BinOp: self._formatted,
            ast.IfExp: lambda node, state: self._both(node.body, node.orelse, state, node.test),
            ast.NamedExpr: self._named,
            ast.Compare: self._nothing,
            ast.UnaryOp: self._nothing,
            ast.Lambda: lambda *_: NOTHING,
            ast.DictComp: self._comprehension,
            ast.ListComp: self._comprehension,
            ast.SetComp: self._comprehension,
            ast.GeneratorExp: self._comprehension,
        }

    def of(self, node: ast.AST | None, state: State) -> Origins:
        """Return which parts of tokens are in the value of an expression; unknown kinds hold what is in them."""
        if node is None:
            return NOTHING
        handler = self.by_kind.get(node.__class__)
        if handler is not None:
            found: Origins = handler(node, state)
            return found
        return self._all(ast.iter_child_nodes(node), state)

    def _all(self, nodes: Any, state: State) -> Origins:
        return NOTHING.union(*[self.of(node, state) for node in nodes])

    def _nothing(self, node: ast.expr, state: State) -> Origins:
        self._all(ast.iter_child_nodes(node), state)  # calls inside may verify
        return NOTHING

    def _both(self, first: ast.expr, second: ast.expr, state: State, test: ast.expr) -> Origins:
        positive, negative = self.flow.checks(test, state)
        self.of(test, state)
        yes, no = state.leads_on(test, True, positive), state.leads_on(test, False, negative)
        found = self._unchecked(first, yes) | self._unchecked(second, no)
        state.has_read = state.has_read or yes.has_read or no.has_read
        return found

    def _unchecked(self, node: ast.expr, state: State) -> Origins:
        return frozenset(one for one in self.of(node, state) if one.part is not Part.FIELD or state.is_open(one))

    def _attribute(self, node: ast.Attribute, state: State) -> Origins:
        if (known := state.names.get(dotted(node))) is not None:
            return known
        if self.module.origin(node).startswith("flask.request."):
            return frozenset({Origin(Part.TOKEN, node.lineno, "request")})
        return self.of(node.value, state)

    def _named(self, node: ast.NamedExpr, state: State) -> Origins:
        value = self.of(node.value, state)
        self.flow.bind(node.target, value, state)
        return value

    def _comprehension(self, node: Any, state: State) -> Origins:
        inside = state.copy()
        for generator in node.generators:
            self.flow.bind(generator.target, self.of(generator.iter, inside), inside)
        parts = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        return self._all(parts, inside)

    def _await(self, node: ast.Await, state: State) -> Origins:
        if isinstance(node.value, ast.Call):
            return self._call(node.value, state, awaited=True)
        return self.of(node.value, state)

    def _formatted(self, node: ast.expr, state: State) -> Origins:
        found = self._all(ast.iter_child_nodes(node), state)
        if not found or (isinstance(node, ast.BinOp) and not isinstance(node.op, (ast.Add, ast.Mod))):
            return found
        text = "".join(str(one.value) for one in ast.walk(node) if isinstance(one, ast.Constant))
        return _in_text(found, text)

    def _subscript(self, node: ast.Subscript, state: State) -> Origins:
        base = self.of(node.value, state)
        self.of(node.slice, state)
        key = node.slice.value if isinstance(node.slice, ast.Constant) else None
        return self._taken(base, key, dotted(node.value), isinstance(node.slice, ast.Constant))

    def _taken(self, base: Origins, key: object, name: str, is_constant: bool) -> Origins:
        """Return what stands under a key of claims; of other values a part is as the whole."""
        found: set[Origin] = set()
        for one in base:
            if one.part is Part.TOKEN and key in _RESPONSE_KEYS and not _OF_A_REQUEST.search(name):
                continue  # the answer of a token endpoint: TLS says who sent it
            if one.part is Part.WHOLE and key in ("payload", "header"):
                found.add(replace(one, part=Part.CLAIMS if key == "payload" else Part.HEADER))
            elif one.part in (Part.CLAIMS, Part.WHOLE, Part.HEADER):
                part = Part.IDENTITY if key in IDENTITY_CLAIMS and one.part is not Part.HEADER else Part.FIELD
                if is_constant:
                    found.add(replace(one, part=part, key=str(key)))
            else:
                found.add(one)
        return frozenset(found)

    def _call(self, node: ast.Call, state: State, *, awaited: bool = False) -> Origins:
        arguments = [*node.args, *(word.value for word in node.keywords)]
        given = [self.of(argument, state) for argument in arguments]
        every = NOTHING.union(*given)
        reading = reading_of(node, self.module, self.flow.constants)
        if reading is not None:
            return self._reading(node, reading, state)
        name, method = dotted(node.func), node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if logs(node) or name in _SAYS_NOTHING:
            return NOTHING
        target = self.flow.target(node)
        if target is None:
            positional = len(node.args)
            words = [word.arg for word in node.keywords]
            addresses = [
                *given[:positional],
                *(one for one, word in zip(given[positional:], words, strict=True) if word in _URL),
            ]
            self._sink(node, addresses, awaited, state)
        if target is None and may_verify(node) and any(one.part in (Part.TOKEN, Part.SEGMENT) for one in every):
            self.flow.verified(state, certain=False)
        base = self.of(node.func.value, state) if isinstance(node.func, ast.Attribute) else NOTHING
        if method in ("get", "pop", "setdefault") and base:
            key = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
            return self._taken(base, key, dotted(node.func.value), key is not None)  # type: ignore[attr-defined]
        if target is not None:
            return self.flow.enter(node, target, state) if self.flow.leads_somewhere(target, every | base) else NOTHING
        return self._unknown_call(node, name, method, base, every, state)

    def _unknown_call(
        self, node: ast.Call, name: str, method: str, base: Origins, every: Origins, state: State
    ) -> Origins:
        segments = frozenset(one for one in base | every if one.part in (Part.TOKEN, Part.SEGMENT))
        if method in ("split", "rsplit") and node.args and getattr(node.args[0], "value", None) == ".":
            return frozenset(replace(one, part=Part.SEGMENT, line=node.lineno) for one in segments)
        if is_base64(node):
            return frozenset(one for one in segments if one.part is Part.SEGMENT)
        if name.rpartition(".")[2] == "loads" and any(one.part is Part.SEGMENT for one in every):
            return self._read(node, Part.CLAIMS, segments, state)
        if method in _KEPT or name in _MADE_OF or self.module.origin(node.func) in _JOINS:
            text = "".join(str(one.value) for one in ast.walk(node) if isinstance(one, ast.Constant))
            return _in_text(base | every, text)
        kept: set[Origin] = set()
        for one in base | every:
            if one.part is Part.TOKEN:
                if one in base or _OF_A_REQUEST.search(one.key):
                    kept.add(one)
            elif one.part is Part.IDENTITY or (one.part is Part.CLAIMS and _makes_an_object(name)):
                kept.add(replace(one, exact=False))
        return frozenset(kept)

    def _reading(self, node: ast.Call, reading: Reading, state: State) -> Origins:
        token = self.of(token_argument(node), state)
        if reading is Reading.HEADER:
            return self._read(node, Part.HEADER, token, state)
        if reading is Reading.CLAIMS:
            return self._read(node, Part.CLAIMS, token, state)
        if reading is Reading.WHOLE:
            return self._read(node, Part.WHOLE, token, state)
        if reading is Reading.DEPENDS:
            self.flow.depends(node)
        self.flow.verified(state, certain=True)
        return NOTHING

    def _read(self, node: ast.Call, part: Part, token: Origins, state: State) -> Origins:
        senders = sorted(one.key for one in token if one.part in (Part.TOKEN, Part.SEGMENT))
        state.has_read = True
        if state.proven:
            return NOTHING
        return frozenset({Origin(part, node.lineno, fallback=state.fallback, sender=senders[0] if senders else "")})

    def _sink(self, node: ast.Call, addresses: list[Origins], awaited: bool, state: State) -> None:
        """Report a call that gets an address made of what a token says of itself."""
        name, method = dotted(node.func), node.func.attr if isinstance(node.func, ast.Attribute) else ""
        is_key_client = name.rpartition(".")[2] == "PyJWKClient"
        is_http = bool(HTTP.match(self.module.origin(node.func))) or (awaited and method in FETCHES)
        if not is_http and (method in _KEPT or method in _KEEPS_TO_ITSELF):
            return
        for one in NOTHING.union(*addresses):
            raw = one.part in (Part.FIELD, Part.IDENTITY) and (is_key_client or is_http)
            if one.part in UNVERIFIED and one.exact and (one.is_url or raw) and state.is_open(one):
                self.flow.key_address(node, one)


def _makes_an_object(name: str) -> bool:
    """Whether a call only gives claims another form: a class, by its name, or a method of pydantic."""
    last = name.rpartition(".")[2].lstrip("_")
    return last[:1].isupper() or last in ("model_validate", "parse_obj", "from_dict", "validate_python")


def _in_text(found: Origins, text: str) -> Origins:
    if not KEY_ADDRESS.search(text):
        return found
    return frozenset(replace(one, is_url=one.part in UNVERIFIED) for one in found)
