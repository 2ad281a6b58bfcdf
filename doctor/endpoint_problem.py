"""What is wrong at a model server's address, in words: what is seen, why, what was asked and answered, what to do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from doctor.endpoint_probe import TITLES, EndpointReport, EndpointState
from doctor.model import Evidence, EvidenceKind
from doctor.resources.address import may_carry_a_secret
from doctor.resources.environment import Environment
from doctor.resources.model_server import Answer, ModelError, ModelServerUnreachable
from doctor.resources.models import Models
from doctor.resources.ollama import OllamaServer
from doctor.resources.openai_compatible import OpenAIServer
from doctor.resources.unreachable import Reason
from doctor.vantage import Elsewhere, loopback_of_a_container, seen_from_here

LISTS = {"ollama": "/api/tags", "openai": "/models", "huggingface": "/models"}
"""The path under which each kind of server lists its models."""

QUOTA = re.compile(r"insufficient_quota|exceeded your current quota|billing_hard_limit", re.IGNORECASE)
"""How a 429 says that waiting does not help: OpenAI's codes for an account without credit."""

GUARD_LOOK_ALIKES = ("model server down", "base URL wrong", "key refused")
"""What a 403 of Ollama's guard of host names is taken for."""


@dataclass(frozen=True, slots=True)
class EndpointProblem:
    """The words of one finding."""

    what: str
    cause: str
    remedy: str
    asked: str
    said: str
    evidence: tuple[Evidence, ...] = ()
    ruled_out: tuple[tuple[str, str], ...] = ()
    """Look-alikes that were refuted, each with the measurement."""


async def endpoint_problem(report: EndpointReport, *, contained: bool | None = None) -> EndpointProblem:
    """Put a report of a server that does not answer as it should into words; ``contained`` as in ``vantage``."""
    asked = f"GET {report.server.endpoint.address}{LISTS[report.server.kind]}"
    if report.state is EndpointState.UNREACHABLE:
        return await _unreachable(report, asked, contained)
    if report.state is EndpointState.TROUBLED:
        return _troubled(report, asked)
    return _other(report, asked)


def address_problem(report: EndpointReport) -> str | None:
    """Return what is odd about an address although it may work from here, or None."""
    if urlsplit(report.server.url).hostname in ("0.0.0.0", "::"):  # noqa: S104 - it is looked for
        return "0.0.0.0 is where a server listens; as an address of a client it works on some systems only"
    return None


async def elsewhere(
    models: Models, environment: Environment, report: EndpointReport, *, contained: bool | None = None
) -> Elsewhere | None:
    """Return why a server cannot be judged from here, or None when it can."""
    error = report.error
    if not isinstance(error, ModelServerUnreachable):
        return None

    async def answers(url: str) -> bool:
        return await _lists(report.server.kind, url)

    return await seen_from_here(environment, report.server.url, error.reason, answers, contained=contained)


async def _lists(kind: str, url: str) -> bool:
    server = OllamaServer(url, origin="") if kind == "ollama" else OpenAIServer(url, origin="")
    try:
        await server.list()
    except ModelError as error:
        return not isinstance(error, ModelServerUnreachable) and getattr(error, "status", 404) in (401, 403)
    finally:
        await server.close()
    return True


async def _unreachable(report: EndpointReport, asked: str, contained: bool | None) -> EndpointProblem:
    error = report.error
    assert isinstance(error, ModelServerUnreachable)
    said = error.detail or error.reason.explanation
    cause = f"{report.server.endpoint.origin or 'the environment'}: {error.reason.explanation}"
    found = EndpointProblem(error.reason.explanation, cause, error.reason.remedy, asked, said)
    if report.works_at is not None:
        at = report.works_at.endpoint.address
        why = "an address without a port means port 80" if error.reason is not Reason.TLS else "it speaks no TLS there"
        answered = Evidence(EvidenceKind.HTTP, f"GET {at}{LISTS[report.works_at.kind]}", "answers with its models")
        remedy = f"write {at}" if may_carry_a_secret(report.works_at.url) else f"write {at}; send no key to it"
        running = ("model server down", f"it answers at {at}")
        return EndpointProblem(
            f"{found.what}; it answers at {at}",
            f"{why}: it should be {at}",
            remedy,
            asked,
            said,
            (answered,),
            (running,),
        )
    around = await loopback_of_a_container(
        report.server.url, error.reason, lambda url: _lists(report.server.kind, url), contained=contained
    )
    if around:
        cause = "inside a container `localhost` is the container itself"
        answered = Evidence(EvidenceKind.HTTP, f"GET {around}", "answers")
        running = ("model server down", f"it answers at {around}")
        return EndpointProblem(
            f"{found.what}; {around} answers", cause, f"write {around}", asked, said, (answered,), (running,)
        )
    if (odd := address_problem(report)) is not None:
        return EndpointProblem(found.what, odd, "write 127.0.0.1, or the host's name, for clients", asked, said)
    return found


def _troubled(report: EndpointReport, asked: str) -> EndpointProblem:
    said = str(report.error)
    answer = report.answer
    if report.works_with_host:
        host = urlsplit(report.server.url).netloc
        shown = Evidence(EvidenceKind.HTTP, f"{asked} with Host: localhost", "200")
        return EndpointProblem(
            f"it refuses the host name {host}",
            "Ollama listens at loopback and answers 403 to host names that it does not know",
            "set OLLAMA_HOST=0.0.0.0 on the server, or let the proxy send `Host: localhost`",
            asked,
            said,
            (shown,),
            tuple((each, "with `Host: localhost` it answers") for each in GUARD_LOOK_ALIKES),
        )
    what = "it answers" if answer is None else f"it answers with {answer.status}"
    cause, remedy = ("the server is in trouble of its own", "read its own log") if answer is None else _blamed(answer)
    return EndpointProblem(what, cause, remedy, asked, said)


def _blamed(answer: Answer) -> tuple[str, str]:
    """Return whose trouble an error is, and what to do: the account's, a proxy's, or the server's own."""
    if answer.status == 402 or (answer.status == 429 and QUOTA.search(answer.body)):
        return "the account has no credit or quota left", "do not retry: look at billing and limits of the account"
    if answer.is_html and answer.status == 403:
        return "a proxy in between forbids it", "let the proxy pass this host, or set NO_PROXY for it"
    if answer.is_html and answer.status in (502, 503, 504):
        return (
            "a proxy in between answers, and not the server behind it",
            "read the log of the proxy, then the server's",
        )
    wait = "wait and try again: it has too much to do"
    return "the server is in trouble of its own", wait if answer.status in (429, 503) else "read its own log"


def _other(report: EndpointReport, asked: str) -> EndpointProblem:
    title, answer = TITLES[report.server.kind], report.answer
    said = str(report.error)
    wanted = title if report.server.kind != "ollama" else "Ollama"
    what, cause = f"something answers, but not as {wanted} does", f"another service answers in place of {wanted}"
    remedy = "correct the base URL: it leads to another service"
    more: tuple[Evidence, ...] = ()
    if report.works_at is not None:
        at, other = report.works_at.endpoint.address, TITLES[report.works_at.kind]
        what = f"{what}: it is {other}"
        cause = f"the target takes {other} for {wanted}"
        remedy = f"let the target use it as {other} (at {at}), or give it the address of {wanted}"
        more = (Evidence(EvidenceKind.HTTP, f"GET {at}{LISTS[report.works_at.kind]}", "answers with its models"),)
    elif answer is not None and answer.is_html:
        what = f"{what}: it is a page for people"
        cause = "a proxy, a portal or a web site answers in its place"
        remedy = "look at the page, set NO_PROXY for this host, or correct the base URL"
    controls = tuple(
        Evidence(EvidenceKind.HTTP, "a model that cannot exist, and one that should", text)
        for text in report.controls[:1]
    )
    return EndpointProblem(what, cause, remedy, asked, said, (*more, *controls))
