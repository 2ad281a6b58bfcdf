"""Clients of model servers that the code makes, with the address they are given, and the models it asks them for."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from doctor.source.collector import Collector, Module
from doctor.source.collectors.model_defaults import APART
from doctor.source.expressions import FunctionNode, dotted

CLIENTS = {
    "huggingface_hub.AsyncInferenceClient": "huggingface",
    "huggingface_hub.InferenceClient": "huggingface",
    "langchain_ollama.ChatOllama": "ollama",
    "langchain_ollama.OllamaEmbeddings": "ollama",
    "langchain_openai.ChatOpenAI": "openai",
    "langchain_openai.OpenAIEmbeddings": "openai",
    "ollama.AsyncClient": "ollama",
    "ollama.Client": "ollama",
    "openai.AsyncOpenAI": "openai",
    "openai.OpenAI": "openai",
}
"""Constructors, and the kind of server that each talks to."""

_ADDRESSES = frozenset({"base_url", "openai_api_base", "host", "endpoint"})
_KEYS = frozenset({"api_key", "openai_api_key", "token"})
_MODELS = frozenset({"model", "model_name"})
_READERS = frozenset({"os.getenv", "os.environ.get"})
_LISTS = re.compile(r"model|fallback|candidate", re.IGNORECASE)
_MODEL_ID = re.compile(r"[A-Za-z0-9][\w.-]*(?:/[\w.-]+)?(?::[\w.-]+)?")


@dataclass(frozen=True, slots=True)
class ModelClient:
    """One client, made at ``line``. ``address`` is the literal, ``variable`` the variable that comes before it; so are
    ``key_variable`` and nothing: a key in the code is another check's business. ``embeds``: it does only that."""

    path: str
    line: int
    text: str
    kind: str
    address: str
    variable: str
    key_variable: str
    embeds: bool


@dataclass(frozen=True, slots=True)
class ModelName:
    """One model that the code asks for at ``line``. ``link`` is its place in a list of fallbacks, 0 for a lone one."""

    path: str
    line: int
    text: str
    name: str
    model: str
    capability: str
    link: int = 0


def _collect(module: Module) -> Iterator[ModelClient | ModelName]:
    if APART.search(module.path):
        return
    values = _Values(module)
    clients = list(_clients(module, values))
    if clients:
        yield from clients
        yield from _names(module, values)


class _Values:
    """What an expression is worth as far as one file tells: a literal, a variable of the environment, or both."""

    def __init__(self, module: Module) -> None:
        self._module = module
        self._constants = {
            target.id: node.value
            for node in module.tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }

    def of(self, node: ast.expr, depth: int = 0) -> tuple[str, str]:
        """Return (literal, variable), each empty where there is none."""
        if isinstance(node, ast.Constant):
            return (node.value, "") if isinstance(node.value, str) else ("", "")
        if isinstance(node, ast.Name) and node.id in self._constants and depth < 3:
            return self.of(self._constants[node.id], depth + 1)
        if isinstance(node, ast.Call) and self._module.origin(node.func) in _READERS and node.args:
            default = self.of(node.args[1], depth + 1)[0] if len(node.args) > 1 else ""
            return default, self.of(node.args[0], depth + 1)[0]
        if isinstance(node, ast.Subscript) and self._module.origin(node.value) == "os.environ":
            return "", self.of(node.slice, depth + 1)[0]
        if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
            parts = [self.of(value, depth + 1) for value in node.values]
            return next((one for one, _ in reversed(parts) if one), ""), next((one for _, one in parts if one), "")
        return "", ""


def _clients(module: Module, values: _Values) -> Iterator[ModelClient]:
    for node in module.nodes:
        kind = CLIENTS.get(module.origin(node.func)) if isinstance(node, ast.Call) else None
        if kind is None or not isinstance(node, ast.Call):
            continue
        given = {word.arg: word.value for word in node.keywords if word.arg}
        first = node.args[:1] if kind == "ollama" else []
        address = next((value for name, value in given.items() if name in _ADDRESSES), first[0] if first else None)
        key = next((value for name, value in given.items() if name in _KEYS), None)
        literal, variable = ("", "") if address is None else values.of(address)
        if address is not None and not literal and not variable:
            continue  # only a run could tell
        yield ModelClient(
            module.path,
            node.lineno,
            module.line(node.lineno),
            kind,
            literal,
            variable,
            "" if key is None else values.of(key)[1],
            dotted(node.func).endswith("Embeddings"),
        )


def _names(module: Module, values: _Values) -> Iterator[ModelName]:
    for node in module.nodes:
        if isinstance(node, ast.Call):
            for word in node.keywords:
                if word.arg in _MODELS:
                    yield from _name(module, word.arg, values.of(word.value)[0], node, dotted(node.func))
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for name, default in _defaults(node):
                if name in _MODELS:
                    yield from _name(module, name, values.of(default)[0], default, node.name)
        elif isinstance(node, ast.Assign) and isinstance(node.value, (ast.List, ast.Tuple)):
            name = dotted(node.targets[0])
            texts = [values.of(element)[0] for element in node.value.elts]
            if _LISTS.search(name) and len(texts) > 1 and all(map(_is_model, texts)):
                for link, (element, text) in enumerate(zip(node.value.elts, texts, strict=True), start=1):
                    yield from _name(module, name, text, element, name, link)


def _name(module: Module, name: str, model: str, node: ast.expr, around: str, link: int = 0) -> Iterator[ModelName]:
    if _is_model(model):
        capability = "embedding" if "embed" in around.lower() else "completion"
        place = (module.path, node.lineno, module.line(node.lineno))
        yield ModelName(*place, name, model, capability, link)


def _is_model(text: str) -> bool:
    return bool(_MODEL_ID.fullmatch(text)) and any(mark in text for mark in "/:-.")


def _defaults(function: FunctionNode) -> Iterator[tuple[str, ast.expr]]:
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    if arguments.defaults:
        pairs = zip(positional[-len(arguments.defaults) :], arguments.defaults, strict=True)
        yield from ((one.arg, default) for one, default in pairs)
    for one, given in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if given is not None:
            yield one.arg, given


_IMPORTS = re.compile(
    rb"^\s*(?:from|import)\s+(?:huggingface_hub|langchain_ollama|langchain_openai|ollama|openai)\b", re.MULTILINE
)

COLLECTOR = Collector(
    "model-clients",
    1,
    (b"OpenAI(", b"InferenceClient(", b"Ollama(", b"Embeddings(", b"Client("),
    _collect,
    looks=lambda content: _IMPORTS.search(content) is not None,
)
