"""Code that runs before a server listens or a worker takes tasks: start-up handlers, the module of an application,
what stands before ``uvicorn.run``."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from doctor.source.collector import Collector, Module, own_nodes
from doctor.source.collectors.model_defaults import APART
from doctor.source.expressions import dotted
from doctor.source.facts import MAIN_BLOCK, MODULE_LEVEL

_WORDS = ("uvicorn", "fastapi", "starlette", "litestar", "quart", "sanic", "flask", "celery", "taskiq", "lifespan")
"""A file without any of these starts nothing."""

_APPLICATIONS = frozenset(
    {
        "celery.Celery",
        "fastapi.FastAPI",
        "flask.Flask",
        "litestar.Litestar",
        "quart.Quart",
        "sanic.Sanic",
        "starlette.applications.Starlette",
    }
)
_SERVERS = frozenset({"aiohttp.web.run_app", "hypercorn.asyncio.serve", "uvicorn.run", "waitress.serve"})
_SIGNALS = frozenset(
    f"celery.signals.{name}.connect" for name in ("worker_init", "worker_process_init", "worker_ready")
)
_EVENTS = frozenset({"startup", "WORKER_STARTUP", "CLIENT_STARTUP", "before_server_start", "main_process_start"})


@dataclass(frozen=True, slots=True)
class ServerStart:
    """``function`` (``module.qualname``) runs before ``what``. Where a server is started in the middle of a function,
    only the lines (``spans``) and the calls (``before``) that come first do."""

    path: str
    line: int
    function: str
    what: str
    text: str
    spans: tuple[tuple[int, int], ...] = ()
    before: tuple[str, ...] = ()


def _collect(module: Module) -> Iterator[ServerStart]:
    text = "\n".join(module.lines)
    if APART.search(module.path) or not any(word in text for word in _WORDS):
        return
    for name, function in module.functions:
        for decorator in function.decorator_list:
            if _is_start_up(decorator, module):
                yield _start(module, decorator, f"{module.name}.{name}", "the server is up")
    for node in module.nodes:
        if isinstance(node, ast.Call):
            yield from _of_call(module, node)
        elif isinstance(node, ast.Assign) and any(dotted(one).endswith(".lifespan_context") for one in node.targets):
            yield from _handler(module, node.value)


def _of_call(module: Module, node: ast.Call) -> Iterator[ServerStart]:
    origin = module.origin(node.func)
    last = origin.rpartition(".")[2]
    for keyword in node.keywords:
        if keyword.arg == "lifespan":
            yield from _handler(module, keyword.value)
        elif keyword.arg == "on_startup" and isinstance(keyword.value, (ast.List, ast.Tuple)):
            for one in keyword.value.elts:
                yield from _handler(module, one)
    if last == "add_event_handler" and len(node.args) > 1 and _event(node.args[0]) in _EVENTS:
        yield from _handler(module, node.args[1])
    elif origin in _SIGNALS and node.args:
        yield from _handler(module, node.args[0])
    elif origin in _APPLICATIONS or (origin == f"fastapi.applications.{last}" and last == "FastAPI"):
        yield _start(module, node, _running(module, node), f"`{last}` is there to be served")
    elif origin.startswith("taskiq") and last.endswith("Broker"):
        yield _start(module, node, _running(module, node), f"the worker of `{last}` takes tasks")
    elif origin in _SERVERS:
        yield from _in_the_middle(module, node)


def _in_the_middle(module: Module, node: ast.Call) -> Iterator[ServerStart]:
    scope = module.running(node.lineno)
    first = _before(dict(module.functions).get(scope, module.tree), node)
    calls = [call for statement in first for call in own_nodes(statement) if isinstance(call, ast.Call)]
    yield ServerStart(
        path=module.path,
        line=node.lineno,
        function=f"{module.name}.{scope}",
        what=f"`{dotted(node.func)}`",
        text=module.line(node.lineno),
        spans=tuple((one.lineno, one.end_lineno or one.lineno) for one in first),
        before=tuple(dict.fromkeys(filter(None, (module.identity(call.func, scope) for call in calls)))),
    )
    if scope in (MAIN_BLOCK, MODULE_LEVEL):
        yield _start(module, node, f"{module.name}.{MODULE_LEVEL}", f"`{dotted(node.func)}`")


def _before(around: ast.AST, node: ast.AST) -> list[ast.stmt]:
    """Return the statements that are over when the one with ``node`` begins, on the way that leads to it."""
    found: list[ast.stmt] = []
    for name in around._fields:
        value = getattr(around, name, None)
        parts: Sequence[object] = value if isinstance(value, list) else [value]
        for index, part in enumerate(parts):
            if isinstance(part, ast.AST) and any(inner is node for inner in ast.walk(part)):
                found += [one for one in parts[:index] if isinstance(one, ast.stmt)]
                return found + _before(part, node)
    return found


def _is_start_up(decorator: ast.expr, module: Module) -> bool:
    if isinstance(decorator, ast.Call):
        last = dotted(decorator.func).rpartition(".")[2]
        if last in ("on_event", "listener") and decorator.args:
            return _event(decorator.args[0]) in _EVENTS
        decorator = decorator.func
    return module.origin(decorator) in _SIGNALS


def _event(node: ast.expr) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else dotted(node).rpartition(".")[2]


def _handler(module: Module, node: ast.expr) -> Iterator[ServerStart]:
    if isinstance(node, (ast.Name, ast.Attribute)):
        yield _start(module, node, module.identity(node, module.enclosing(node.lineno)), "the server is up")


def _running(module: Module, node: ast.expr) -> str:
    return f"{module.name}.{module.running(node.lineno)}"


def _start(module: Module, node: ast.expr, function: str, what: str) -> ServerStart:
    return ServerStart(module.path, node.lineno, function, what, module.line(node.lineno))


COLLECTOR = Collector("server-starts", 1, (), _collect)
