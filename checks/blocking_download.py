"""A model is downloaded before the server listens, so a slow or blocked network keeps the service from starting.

## What it finds
`snapshot_download`, `hf_hub_download`, `from_pretrained`, `SentenceTransformer(…)` or `nltk.download`, reached from
what a service runs before it serves: the module of an application or worker, what that imports, a lifespan or start-up
handler, the code before `uvicorn.run`:

    @asynccontextmanager
    async def lifespan(app):
        prepare_models()            # → snapshot_download("Qwen/Qwen2.5-3B-Instruct")
        yield

An error for a call that only downloads, a warning for one that also loads the model, or with which PyJWT's
`PyJWKClient` fetches the signing keys.

## Why it hurts
Nothing answers until gigabytes have come; health probes fail, and the orchestrator starts it all over. Without network
the Hub's client tries for up to 23 seconds a file (measured on huggingface_hub 2.4), then raises, and the service does
not start at all, although most requests need no model.

## How it is told from its look-alikes
Calls are followed through files and constructors. What is handed to a thread, started as a task without being awaited,
or called only by a request is silent. So are scripts, tests and command lines in which no server starts, what runs
after `uvicorn.run` or in another branch, a program that is given a model and serves it, `local_files_only=True`,
`HF_HUB_OFFLINE` set in the code, and folders of this machine (`./model`, `model_path`). A `PyJWKClient` that is
only made fetches nothing. `nats.connect` at start-up tries a server that is away for two minutes (60 times, 2 s apart,
nats-py 2) and is silent: a worker is of no use without its queue, and waiting may be meant. NAT001 says it where NATS
is away.

## How to fix
By hand. Delete it, where the model is loaded at first use anyway; or run it in a background thread, with a readiness
flag that the health endpoint shows; or, in the long run, keep one registry of models that loads each of them once.

## False positives
A service that is of no use without its model, and whose image holds the model already: say so by
`local_files_only=True`.
"""

from collections.abc import Iterator

from doctor.api import (
    Applicability,
    Evidence,
    EvidenceKind,
    Example,
    Finding,
    FixOption,
    Resource,
    Severity,
    Source,
    check,
)
from doctor.source.collectors.downloads import COLLECTOR as DOWNLOADS
from doctor.source.collectors.downloads import Download, Offline
from doctor.source.collectors.server_starts import COLLECTOR as STARTS
from doctor.source.collectors.server_starts import ServerStart

SHOWN = 4
"""Functions between start and download that are named."""

_MODELS = """\
from huggingface_hub import snapshot_download


def prepare_models() -> None:
    snapshot_download("Qwen/Qwen2.5-3B-Instruct"{options})
"""
_LIFESPAN = """\
import asyncio
import threading
from contextlib import asynccontextmanager

from fastapi import FastAPI

from .models import prepare_models


@asynccontextmanager
async def lifespan(app: FastAPI):
    {start}
    yield


app = FastAPI(lifespan=lifespan)
"""
_EMBEDDER = """\
from sentence_transformers import SentenceTransformer


class Embedder:
    def __init__(self) -> None:
        self.model = SentenceTransformer("all-MiniLM-L6-v2")
"""
_SERVICES = "from .embedder import Embedder\n\n{made}\n"
_API = """\
from fastapi import FastAPI

from . import services

app = FastAPI()


@app.get("/embed")
def embed(text: str) -> list[float]:
    return services.embedder().encode(text)
"""
_WORKER = """\
import nltk
from celery import Celery
from celery.signals import worker_process_init

app = Celery("jobs")


@worker_process_init.connect
def prepare(**_):
    nltk.download("punkt")
"""
_PROGRAM = """\
import uvicorn
from transformers import AutoModel


def load():
    return AutoModel.from_pretrained("google-bert/bert-base-uncased")


if __name__ == "__main__":
    {start}
"""
_LAZY = "from functools import cache\n\n\n@cache\ndef embedder() -> Embedder:\n    return Embedder()"
_BEFORE_RUN = 'load()\n    uvicorn.run("app:app")'
_ELSEWHERE = 'if fetch_only:\n        load()\n    else:\n        uvicorn.run("app:app")'


def _files(**texts: str) -> dict[str, str]:
    return {"app/__init__.py": "", **{f"app/{name}.py": text for name, text in texts.items()}}


def _service(start: str, options: str = "") -> dict[str, str]:
    return _files(models=_MODELS.replace("{options}", options), main=_LIFESPAN.replace("{start}", start))


def _embedding(made: str) -> dict[str, str]:
    return _files(embedder=_EMBEDDER, services=_SERVICES.replace("{made}", made), main=_API)


def _program(start: str, model: str = "google-bert/bert-base-uncased") -> dict[str, str]:
    return {"serve.py": _PROGRAM.replace("{start}", start).replace("google-bert/bert-base-uncased", model)}


BAD = (
    Example("a lifespan waits for the download", _service("prepare_models()")),
    Example("it waits for the thread, too", _service("await asyncio.to_thread(prepare_models)")),
    Example("an object that a module makes loads its model", _embedding("EMBEDDER = Embedder()")),
    Example("a worker of Celery that starts", {"jobs.py": _WORKER}),
    Example("before uvicorn.run", _program(_BEFORE_RUN)),
)
GOOD = (
    Example("in a thread", _service("threading.Thread(target=prepare_models, daemon=True).start()")),
    Example("as a task", _service("task = asyncio.create_task(asyncio.to_thread(prepare_models))")),
    Example("only what the machine has", _service("prepare_models()", ", local_files_only=True")),
    Example("nobody calls it at start", _service("pass")),
    Example("at first use", _embedding(_LAZY)),
    Example("a program without a server", _program("load()")),
    Example("in another branch than the server", _program(_ELSEWHERE)),
    Example("a folder of this machine", _program(_BEFORE_RUN, "./bert")),
)


@check(
    "INI004",
    "blocking-download",
    severity=Severity.ERROR,
    tags=["static"],
    timeout=20.0,
    bad=BAD,
    good=GOOD,
)
def blocking_download(source: Source) -> Iterator[Finding]:
    """Look for each download whether something waits for it that runs before a server is up."""
    found = source.collected(DOWNLOADS)
    offline = any(isinstance(fact, Offline) for fact in found)
    starts = source.collected(STARTS)
    for download in found:
        if isinstance(download, Download) and not (offline and download.of_hub):
            reached = source.reached_from(download.path, download.function)
            start = next((one for one in starts if _runs_before(one, download, reached)), None)
            if start is not None:
                yield _finding(download, start, _between(download, start, source))


def _runs_before(start: ServerStart, download: Download, reached: frozenset[str]) -> bool:
    """Tell whether the start waits for the download."""
    if not start.spans:
        return start.function in reached
    if download.given:
        return False  # a program that is given a model, and serves it
    if start.function == f"{download.module}.{download.function}":
        return any(first <= download.line <= last for first, last in start.spans)
    return any(name in reached or f"{name}.__init__" in reached for name in start.before)


def _between(download: Download, start: ServerStart, source: Source) -> list[str]:
    """Return the functions on the way from the start to the download, in the order of the calls."""
    ends = {start.function, f"{download.module}.{download.function}"}
    entries = {start.function, *start.before, *(f"{name}.__init__" for name in start.before)}
    reached = source.reached_from(download.path, download.function)
    on_the_way = {
        name: len(callers)
        for (path, function), callers in source.facts.reached_from.items()
        for name in reached - ends
        if name == f"{_module(path, name)}.{function}" and callers & entries
    }
    return sorted(on_the_way, key=lambda name: (on_the_way[name], name))


def _module(path: str, name: str) -> str:
    """Return the part of a name that is the module of a path, whatever folder the imports start from."""
    module = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    while module and not name.startswith(f"{module}."):
        module = module.partition(".")[2]
    return module


def _finding(download: Download, start: ServerStart, between: list[str]) -> Finding:
    return Finding(
        code="INI004",
        resource=Resource("code", f"{download.module}.{download.function}", download.path, download.line),
        subject=download.name,
        symptom=f"`{download.name}` runs before {start.what}",
        cause=f"what starts the service waits for `{download.name}`",
        severity=Severity.ERROR if download.only else Severity.WARNING,
        impacts=(
            "nothing is served until the download is over",
            "without network the service starts late, or not at all",
        ),
        evidence=tuple(_evidence(download, start, between)),
        fixes=tuple(_options(download, start)),
        validation="doctor check --select INI004; then start the service with the network blocked",
    )


def _evidence(download: Download, start: ServerStart, between: list[str]) -> Iterator[Evidence]:
    yield Evidence(EvidenceKind.CODE, f"{start.path}:{start.line}", start.text)
    for name in between[:SHOWN]:
        yield Evidence(EvidenceKind.CODE, name, "is on the way to it")
    yield Evidence(EvidenceKind.CODE, f"{download.path}:{download.line}", download.text)


def _options(download: Download, start: ServerStart) -> Iterator[FixOption]:
    if download.name.startswith("PyJWKClient."):
        yield FixOption.by_hand(
            f"delete the call in {download.path}:{download.line}", "the client fetches the keys with the first token"
        )
        return
    yield FixOption.by_hand(
        f"delete the call in {download.path}:{download.line}", "right where the model is loaded at first use anyway"
    )
    yield FixOption(
        fix="manual",
        title="run it in a background thread, with a readiness flag",
        applicability=Applicability.MANUAL,
        reason="only you know what must be refused until the model is there",
        arguments={
            "path": start.path,
            "line": start.line,
            "snippet": "loading = asyncio.create_task(asyncio.to_thread(load_model))  # not awaited before `yield`\n"
            "app.state.model_ready = loading.done  # what the health endpoint shows\n",
        },
    )
    yield FixOption(
        fix="manual",
        title="keep one registry of models that loads each of them once, in the background",
        applicability=Applicability.MANUAL,
        reason="it changes who owns the models",
        recommended=True,
        tradeoff="the most work; afterwards no module downloads on its own",
    )
