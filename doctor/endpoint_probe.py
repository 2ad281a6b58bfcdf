"""What answers at a model server's base URL: the server, another one, a page, or the right one under another path.

Which 404 it is cannot be seen from one question. So a model that cannot exist and one that is configured are asked for:
where both get the same answer, it is the path. Then the paths nearby are tried, and the one that answers is named.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from urllib.parse import urlsplit, urlunsplit

from doctor.resources.address import same_origin
from doctor.resources.model_server import (
    Answer,
    EndpointGone,
    InstalledModel,
    KeyRefused,
    LoadedModel,
    ModelError,
    ModelServer,
    ModelServerError,
    ModelServerUnreachable,
    NotAllowed,
    WrongPath,
)
from doctor.resources.models import HuggingFace, Models
from doctor.resources.ollama import DEFAULT_PORT, OllamaServer
from doctor.resources.openai_compatible import CONTROL_MODEL, OpenAIServer
from doctor.resources.unreachable import Reason

CANDIDATES = 12
"""Other addresses that are tried, all at once."""

TITLES = {"ollama": "Ollama", "openai": "an OpenAI-compatible server", "huggingface": "the router of Hugging Face"}
"""What each kind of server is called."""


class EndpointState(StrEnum):
    """What is at an address."""

    ANSWERS = "answers"
    UNREACHABLE = "unreachable"
    WRONG_PATH = "wrong path"
    """The server is there, and this path of it is not."""
    GONE = "gone"
    """It says that this address is no longer served."""
    OTHER = "other"
    """Something else answers: a server of another kind, another program, a page."""
    KEY = "key"
    """It answers, and does not take the key."""
    TROUBLED = "troubled"
    """It answers with an error of its own."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What is asked at the same time as the list of models, as far as it was answered.

    ``version_ms`` is the round trip of Ollama's version; ``loaded`` the models in its memory; ``account`` whose token
    Hugging Face knows, and ``refused`` what it said where it does not.
    """

    version_ms: float | None = None
    loaded: tuple[LoadedModel, ...] | None = None
    account: str = ""
    refused: str = ""


@dataclass(frozen=True, slots=True)
class EndpointReport:
    """What was seen. ``error`` is why it does not answer; ``works_at`` an address at which a list of models came.

    ``has_list`` is False where the server works but offers no list of its models. ``controls`` are the answers to the
    two control questions. ``seconds`` are those until the first answer.
    """

    server: ModelServer
    state: EndpointState
    models: tuple[InstalledModel, ...] = ()
    error: ModelError | None = None
    has_list: bool = True
    works_at: ModelServer | None = None
    works_with_host: bool = False
    """Ollama answers when the request names ``localhost`` as its host."""
    controls: tuple[str, ...] = ()
    seconds: float = 0.0
    beside: Beside = field(default_factory=lambda: Beside())

    @property
    def answer(self) -> Answer | None:
        """The raw answer behind the error, if there was one."""
        return getattr(self.error, "answer", None)


async def probe_endpoint(models: Models, server: ModelServer, wanted: Sequence[str] = ()) -> EndpointReport:
    """Look what is at a server's address; checks that ask at the same time share one look.

    ``wanted`` are models that the target wants there: a path is preferred that has one of them.
    """

    async def look() -> EndpointReport:
        report, beside = await asyncio.gather(_probe(models, server, wanted), _ask_beside(server))
        return replace(report, beside=beside)

    return await models.once(("probe", server), look)


async def _ask_beside(server: ModelServer) -> Beside:
    """Ask what may be asked without waiting for the list: a slow server is waited for once."""
    if isinstance(server, OllamaServer):
        started = time.perf_counter()
        version, loaded = await asyncio.gather(_timed(server, started), server.loaded(), return_exceptions=True)
        return Beside(version if isinstance(version, float) else None, loaded if isinstance(loaded, tuple) else None)
    if isinstance(server, HuggingFace) and server.hub.has_token:
        try:
            return Beside(account=await server.hub.whoami())
        except KeyRefused as error:
            return Beside(refused=str(error))
        except ModelError:
            return Beside()
    return Beside()


async def _timed(server: OllamaServer, started: float) -> float:
    await server.version()
    return (time.perf_counter() - started) * 1000


async def _probe(models: Models, server: ModelServer, wanted: Sequence[str]) -> EndpointReport:
    started = time.perf_counter()
    report = EndpointReport(server, EndpointState.ANSWERS)
    try:
        report = replace(report, models=await models.listing(server))
    except ModelServerUnreachable as error:
        other = await _first_that_lists(models, server, _other_doors(server, error.reason), wanted)
        report = replace(report, state=EndpointState.UNREACHABLE, error=error, works_at=other)
    except EndpointGone as error:
        report = replace(report, state=EndpointState.GONE, error=error)
    except WrongPath as error:
        report = await _where_instead(models, replace(report, error=error), wanted)
    except (KeyRefused, NotAllowed) as error:
        report = replace(report, state=EndpointState.KEY, error=error)
    except ModelServerError as error:
        report = replace(
            report, state=EndpointState.TROUBLED, error=error, works_with_host=await _guarded(server, error)
        )
    except ModelError as error:  # a list that names a model as missing
        report = replace(report, state=EndpointState.OTHER, error=error)
    return replace(report, seconds=time.perf_counter() - started)


async def _where_instead(models: Models, report: EndpointReport, wanted: Sequence[str]) -> EndpointReport:
    """Tell a server without a list, a wrong path, and another server apart."""
    chats = _chats(report.server)
    if chats is not None:
        try:
            await chats.knows_its_paths()
        except (KeyRefused, NotAllowed) as error:
            return replace(report, state=EndpointState.KEY, error=error, has_list=False)
        except ModelError:
            pass
        else:
            return replace(report, error=None, has_list=False)
    known = wanted[0] if wanted else "any"
    controls, found = await asyncio.gather(
        asyncio.gather(*(_said_of(report.server, name) for name in (CONTROL_MODEL, known))),
        _first_that_lists(models, report.server, _nearby(report.server), wanted),
    )
    path = urlsplit(report.server.url).path.strip("/")
    misled = path not in ("", "v1") if found is None else _family(found) == _family(report.server)
    answer = report.answer
    if found is None and answer is not None and answer.is_html and answer.status < 400:
        misled = False  # a page that greets everybody
    state = EndpointState.WRONG_PATH if misled else EndpointState.OTHER
    return replace(report, state=state, works_at=found, controls=tuple(controls))


def _chats(server: ModelServer) -> OpenAIServer | None:
    found = getattr(server, "router", server)
    return found if isinstance(found, OpenAIServer) else None


def _family(server: ModelServer) -> str:
    return "ollama" if server.kind == "ollama" else "openai"


async def _said_of(server: ModelServer, name: str) -> str:
    """Return what the server says of a model, in a form in which two answers can be compared."""
    asked = _chats(server) or server
    try:
        await asked.describe(name)
    except ModelError as error:
        answer = getattr(error, "answer", None)
        return str(error) if answer is None else f"{answer.status} {answer.content_type}: {answer.body}"
    return "described"


async def _guarded(server: ModelServer, error: ModelServerError) -> bool:
    """Tell whether an Ollama refuses only because of the name by which it was asked."""
    if server.kind != "ollama" or error.status != 403 or error.body:
        return False
    local = OllamaServer(server.url, origin="", headers={"Host": "localhost"})
    try:
        await local.version()
    except ModelError:
        return False
    finally:
        await local.close()
    return True


async def _first_that_lists(
    models: Models, server: ModelServer, others: Iterable[tuple[str, str]], wanted: Sequence[str]
) -> ModelServer | None:
    """Ask several addresses at once for their models; one that has a wanted model comes first, then the nearest."""
    candidates = [_candidate(server, kind, url) for kind, url in list(dict.fromkeys(others))[:CANDIDATES]]
    lists = await asyncio.gather(*(candidate.list() for candidate in candidates), return_exceptions=True)
    await asyncio.gather(*(candidate.close() for candidate in candidates))
    answered = [
        (candidate, listed) for candidate, listed in zip(candidates, lists, strict=True) if isinstance(listed, tuple)
    ]
    names = {name.partition(":")[0].lower() for name in wanted}
    having = [one for one, listed in answered if names & {each.name.partition(":")[0].lower() for each in listed}]
    return next(iter([*having, *(one for one, _ in answered)]), None)


def _candidate(server: ModelServer, kind: str, url: str) -> ModelServer:
    """Return a client for an address to try; the key goes only to where its server was asked with it."""
    if kind == "ollama":
        return OllamaServer(url, origin="")
    key = getattr(_chats(server), "key", None) if same_origin(url, server.url) else None
    return OpenAIServer(url, origin="", key=key)


def _nearby(server: ModelServer) -> Iterator[tuple[str, str]]:
    """Yield other paths of the same host, the likeliest first: one part less, the part before, with ``/v1``, none."""
    parts = urlsplit(server.url)
    segments = [segment for segment in parts.path.split("/") if segment]

    def url(path: Sequence[str]) -> str:
        return urlunsplit((parts.scheme, parts.netloc, "/".join(["", *path]) if path else "", "", ""))

    bare = [segment for segment in segments if segment != "v1"]
    prefixes = [bare[:length] for length in range(len(bare), -1, -1)]
    openai = [url([*prefix, "v1"]) for prefix in prefixes]
    openai += [url(segments[:skipped] + segments[skipped + 1 :]) for skipped in range(len(segments))]
    ollama = [url(prefix) for prefix in prefixes]
    kinds = (
        (("ollama", ollama), ("openai", openai))
        if server.kind == "ollama"
        else (("openai", openai), ("ollama", ollama))
    )
    for kind, urls in kinds:
        yield from ((kind, one) for one in urls if (kind, one) != (_family(server), server.url))


def _other_doors(server: ModelServer, reason: Reason) -> Iterator[tuple[str, str]]:
    """Yield where an unreachable server may listen instead: Ollama's own port, or the same port without TLS."""
    parts = urlsplit(server.url)
    host = parts.hostname or ""
    if reason is Reason.TLS and parts.scheme == "https":
        yield _family(server), urlunsplit(("http", parts.netloc, parts.path, "", ""))
    if server.kind == "ollama" and reason in (Reason.REFUSED, Reason.WRONG_PROTOCOL) and parts.port in (80, 443):
        yield "ollama", f"http://{host}:{DEFAULT_PORT}"
