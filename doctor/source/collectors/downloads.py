"""Calls that fetch a model or a data set from a hub, or keys from their provider, and settings that forbid the hub."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from doctor.source.collect import IN_THREADS
from doctor.source.collector import Collector, Module
from doctor.source.collectors.model_defaults import APART
from doctor.source.expressions import dotted, parameters
from doctor.source.in_code import any_in_code

FETCHES = frozenset(
    {
        "huggingface_hub.hf_hub_download",
        "huggingface_hub.snapshot_download",
        "modelscope.snapshot_download",
        "nltk.download",
    }
)
"""Functions that do nothing but download."""

LOADERS = frozenset({"sentence_transformers.CrossEncoder", "sentence_transformers.SentenceTransformer"})
HUBS = frozenset({"diffusers", "optimum", "peft", "sentence_transformers", "setfit", "tokenizers", "transformers"})
"""Packages whose `from_pretrained` asks the Hub."""

KEYS = "jwt.PyJWKClient"
"""PyJWT's client; it fetches nothing when it is made, and waits up to 30 s for an answer (2.15)."""

_KEYS_FETCHED = frozenset({"fetch_data", "get_jwk_set", "get_signing_key", "get_signing_keys"})

_NAMED = re.compile(
    rb"(?:from|import)\b[^\n]*\b(?:huggingface_hub|jwt|modelscope|nltk|"
    + b"|".join(sorted(hub.encode() for hub in HUBS))
    + rb")\b|HF_HUB_OFFLINE|TRANSFORMERS_OFFLINE"
)
"""An import of one of the packages: their own files import one another by dots, and are nobody's start-up."""

_PARAMETERS = frozenset({"model_id", "model_name_or_path", "pretrained_model_name_or_path", "repo_id"})
_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
_REPOSITORY = re.compile(r"[\w.-]+(?:/[\w.-]+)?")
_FROM_HUB = re.compile(r"(?:^|_)(?:repo|repos|hub|model_id|model_name|pretrained_model)(?:_|$)|_model$", re.IGNORECASE)
_FOLDERS = frozenset({"artifacts", "assets", "checkpoints", "data", "model", "models", "output", "outputs", "weights"})
_FROM_DISK = re.compile(r"path|dir(?:ectory)?(?:_|$)|folder|local|file|checkpoint|cache", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Download:
    """One call, in ``function``, that asks a hub. ``only``: it does nothing else; ``of_hub``: of Hugging Face's.

    ``given``: what to fetch is a parameter of the function.
    """

    path: str
    line: int
    module: str
    function: str
    text: str
    name: str
    only: bool
    of_hub: bool
    given: bool


@dataclass(frozen=True, slots=True)
class Offline:
    """A place that forbids the Hub for the whole process. ``function`` is empty: nobody asks who waits for it."""

    path: str
    line: int
    function: str = ""


def _collect(module: Module) -> Iterator[Download | Offline]:
    if APART.search(module.path):
        return
    given = {name: parameters(function) for name, function in module.functions}
    awaited = {node.value for node in module.nodes if isinstance(node, ast.Await)}
    clients = frozenset(_key_clients(module))
    in_lambdas = {inner for node in module.nodes if isinstance(node, ast.Lambda) for inner in ast.walk(node)}
    for node in module.nodes:
        if isinstance(node, (ast.Assign, ast.Call)) and _forbids(node):
            yield Offline(module.path, node.lineno)
        elif isinstance(node, ast.Call) and node not in in_lambdas:
            name = _keys_fetched(node, clients, module) or _fetched(node, node in awaited, module)
            if name:
                function = module.running(node.lineno)
                is_given = any(dotted(one) in given.get(function, ()) for one in _named(node))
                yield _download(module, node, function, name, is_given)


def _download(module: Module, node: ast.Call, function: str, name: str, is_given: bool) -> Download:
    return Download(
        path=module.path,
        line=node.lineno,
        module=module.name,
        function=function,
        text=module.line(node.lineno),
        name=".".join(name.split(".")[-2 if name.startswith(KEYS) or name.endswith(".from_pretrained") else -1 :]),
        only=name in FETCHES,
        of_hub=not name.startswith(("jwt.", "nltk.", "modelscope.")),
        given=is_given,
    )


def _key_clients(module: Module) -> Iterator[str]:
    """Return the names under which the module keeps clients for signing keys."""
    for node in module.nodes:
        if isinstance(node, ast.Assign) and _makes_key_client(node.value, module):
            yield from filter(None, map(dotted, node.targets))


def _makes_key_client(node: ast.expr, module: Module) -> bool:
    return isinstance(node, ast.Call) and _canonical(module.origin(node.func)) == KEYS


def _keys_fetched(node: ast.Call, clients: frozenset[str], module: Module) -> str:
    """Return the full name of the method by which a client fetches signing keys in this call, or an empty string."""
    method = node.func
    if not isinstance(method, ast.Attribute) or method.attr not in _KEYS_FETCHED:
        return ""
    return f"{KEYS}.{method.attr}" if dotted(method.value) in clients or _makes_key_client(method.value, module) else ""


def _fetched(node: ast.Call, awaited: bool, module: Module) -> str:
    """Return the full name of what downloads in this call, or an empty string."""
    if dotted(node.func).rpartition(".")[2] in IN_THREADS:
        given = [one for one in node.args if isinstance(one, (ast.Name, ast.Attribute))] if awaited else []
        return next((name for one in given if (name := module.origin(one)) in FETCHES), "")
    name = _canonical(module.origin(node.func))
    keywords = {keyword.arg: keyword.value for keyword in node.keywords}
    if None in keywords or not _is_false(keywords.get("local_files_only")):
        return ""
    if name in FETCHES:
        return name
    root, _, rest = name.partition(".")
    loads = name in LOADERS or (root in HUBS and rest.endswith(".from_pretrained"))
    return name if loads and any(map(_is_of_hub, _named(node))) else ""


def _named(node: ast.Call) -> tuple[ast.expr, ...]:
    """Return the arguments that may say what to fetch."""
    return (*node.args[:1], *(keyword.value for keyword in node.keywords if keyword.arg in _PARAMETERS))


def _canonical(origin: str) -> str:
    """Leave out the submodules of a package: ``huggingface_hub.file_download.hf_hub_download``."""
    root, _, rest = origin.partition(".")
    parts = rest.split(".")
    kept = [part for part in parts[:-1] if part[:1].isupper()] + parts[-1:]
    return ".".join([root, *kept]) if rest else origin


def _is_false(value: ast.expr | None) -> bool:
    return value is None or (isinstance(value, ast.Constant) and value.value is False)


def _is_of_hub(node: ast.expr) -> bool:
    """Tell whether what is to be loaded is named as the Hub names it; a folder of this machine is no download."""
    if isinstance(node, ast.Constant):
        name = node.value if isinstance(node.value, str) else ""
        first = name.partition("/")[0]
        return _REPOSITORY.fullmatch(name) is not None and name[0] != "." and first.lower() not in _FOLDERS
    name = dotted(node).rpartition(".")[2]
    return _FROM_HUB.search(name) is not None and _FROM_DISK.search(name) is None


def _forbids(node: ast.AST) -> bool:
    """Tell whether a statement sets a variable of the environment that keeps the Hub's client from the network."""
    if isinstance(node, ast.Assign):
        targets = [one for one in node.targets if isinstance(one, ast.Subscript)]
        return any(isinstance(one.slice, ast.Constant) and one.slice.value in _OFFLINE for one in targets)
    if isinstance(node, ast.Call) and dotted(node.func) in ("os.environ.setdefault", "os.putenv"):
        return bool(node.args) and isinstance(node.args[0], ast.Constant) and node.args[0].value in _OFFLINE
    return False


COLLECTOR = Collector(
    "downloads",
    2,
    (
        b"snapshot_download",
        b"hf_hub_download",
        b".from_pretrained(",
        b"SentenceTransformer(",
        b"CrossEncoder(",
        b"nltk.download",
        b"HF_HUB_OFFLINE",
        b"PyJWKClient",
    ),
    _collect,
    followed=True,
    looks=lambda content: any_in_code(content, _NAMED.finditer(content)),
)
