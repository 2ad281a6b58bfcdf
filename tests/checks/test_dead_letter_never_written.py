"""Which retries raise the last exception, what their `except RetryError` would have written, and whose tasks it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from doctor.api import Finding, Severity, Source
from doctor.checks.dead_letter_never_written import dead_letter_never_written

Findings = Callable[[str], list[Finding]]


@pytest.fixture
def findings(tmp_path: Path) -> Findings:
    def read(text: str) -> list[Finding]:
        (tmp_path / "jobs.py").write_text(dedent(text), encoding="utf-8")
        found = dead_letter_never_written.detect(source=Source.read(tmp_path))
        return [each for each in found if isinstance(each, Finding)]  # type: ignore[union-attr]

    return read


RETRIES = {
    "a function inside": """
        @tenacity.retry(reraise=True)
        def attempt():
            return function()
        try:
            return attempt()
    """,
    "an object that is called": """
        again = tenacity.Retrying(stop=tenacity.stop_after_attempt(3), reraise=True)
        try:
            return again(function)
    """,
    "an object that is looped over": """
        again = tenacity.Retrying(reraise=True)
        try:
            for attempt in again:
                with attempt:
                    return function()
    """,
    "a decorator that is called": """
        try:
            return tenacity.retry(reraise=True)(function)()
    """,
    "two in one": """
        try:
            tenacity.Retrying(reraise=True)(first)
            return tenacity.Retrying(reraise=True)(function)
    """,
    "conditions on exceptions": """
        try:
            return tenacity.Retrying(
                reraise=True,
                retry=tenacity.retry_any(tenacity.retry_if_exception(away), tenacity.retry_if_exception_message("x")),
            )(function)
    """,
}
NO_RETRIES = {
    "a function that is tried, and ends in RetryError itself": """
        @tenacity.retry(reraise=True)
        def attempt():
            return fetch()
        try:
            return attempt()
    """,
    "one of two raises RetryError": """
        try:
            tenacity.Retrying()(first)
            return tenacity.Retrying(reraise=True)(function)
    """,
    "a name with two values": """
        again = tenacity.Retrying(reraise=True)
        if often:
            again = tenacity.Retrying()
        try:
            return again(function)
    """,
    "settings from a dictionary": """
        try:
            return tenacity.Retrying(**{"reraise": True, **options})(function)
    """,
    "a method that ends in RetryError elsewhere": """
        try:
            client.fetch()
            return tenacity.Retrying(reraise=True)(function)
    """,
    "inside the attempts, one that ends in RetryError": """
        try:
            for attempt in tenacity.Retrying(reraise=True):
                with attempt:
                    return fetch()
    """,
    "no retry at all": """
        try:
            return function()
    """,
}
BEFORE = """\
import tenacity


@tenacity.retry
def fetch(): ...


def run(function, client, options):
{body}
    except tenacity.RetryError as error:
        {handler}
"""


def module(body: str, handler: str = "failed_tasks.insert(error)") -> str:
    lines = "\n".join(f"    {line}" for line in dedent(body).strip().splitlines())
    return BEFORE.replace("{body}", lines).replace("{handler}", handler)


@pytest.mark.parametrize("body", RETRIES.values(), ids=RETRIES)
def test_a_retry_that_raises_the_last_exception_is_recognised(findings: Findings, body: str) -> None:
    (finding,) = findings(module(body))
    assert finding.severity is Severity.ERROR
    assert "failed_tasks.insert(…)" in finding.symptom


@pytest.mark.parametrize("body", NO_RETRIES.values(), ids=NO_RETRIES)
def test_where_retry_error_may_come_nothing_is_said(findings: Findings, body: str) -> None:
    assert findings(module(body)) == []


CLASS = """\
from tenacity import RetryError, Retrying, stop_after_attempt


class Mails:
    {attribute}

    def send(self, function):
        try:
            return self.again(function)
        except RetryError as error:
            failed_mails.insert(error)
{more}
"""
RERAISING = "again = Retrying(stop=stop_after_attempt(3), reraise=True)"


@pytest.mark.parametrize(
    "attribute",
    [RERAISING, RERAISING.replace("again", "again: Retrying"), f"def __init__(self):\n        self.{RERAISING}"],
    ids=["of the class", "annotated", "of the object"],
)
def test_an_object_of_tenacity_that_is_an_attribute_is_recognised(findings: Findings, attribute: str) -> None:
    (finding,) = findings(CLASS.format(attribute=attribute, more=""))
    assert finding.severity is Severity.ERROR


@pytest.mark.parametrize(
    ("attribute", "more"),
    [
        ("again = Retrying()", ""),
        (RERAISING, "\nclass Letters(Mails):\n    again = Retrying()"),
        (RERAISING, "\n    def with_more(self, again):\n        self.again = again"),
        (RERAISING, "\nMails.again = Retrying()"),
    ],
    ids=["it ends in RetryError", "of a subclass", "set by a method", "set from outside"],
)
def test_an_attribute_with_another_value_somewhere_is_left_alone(findings: Findings, attribute: str, more: str) -> None:
    assert findings(CLASS.format(attribute=attribute, more=more)) == []


def test_a_parameter_of_the_name_is_not_the_object_of_the_module(findings: Findings) -> None:
    text = CLASS.format(attribute="pass", more="").replace("class Mails", f"{RERAISING}\n\n\nclass Mails")
    text = text.replace("self.again(", "again(")
    assert findings(text)
    assert findings(text.replace("def send(self, function)", "def send(self, function, again)")) == []


@pytest.mark.parametrize(
    ("handler", "severity"),
    [
        ("raise", Severity.WARNING),
        ("print(error)", Severity.WARNING),
        ("logger.error('task failed')", Severity.WARNING),
        ("send_to_dlq(error)", Severity.ERROR),
        ("dead_letters.kiq(error)", Severity.ERROR),
        ("session.add(FailedTask(error))", Severity.ERROR),
        ("mark_as_failed(error)", Severity.ERROR),
    ],
)
def test_it_is_an_error_when_something_would_have_been_written(
    findings: Findings, handler: str, severity: Severity
) -> None:
    (finding,) = findings(module(RETRIES["an object that is called"], handler))
    assert finding.severity is severity


def test_another_handler_that_writes_makes_it_a_warning(findings: Findings) -> None:
    other = "failed_tasks.insert(error)\n    except Exception as error:\n        failed_tasks.insert(error)"
    (finding,) = findings(module(RETRIES["an object that is called"], other))
    assert finding.severity is Severity.WARNING


def test_the_tasks_that_a_wrapper_wraps_belong_to_the_finding(findings: Findings) -> None:
    (finding,) = findings(
        """
        import functools
        from taskiq import InMemoryBroker
        from tenacity import AsyncRetrying, RetryError

        broker = InMemoryBroker()

        def with_retry(function):
            @functools.wraps(function)
            async def run(*args):
                try:
                    return await attempts(function, *args)
                except RetryError as error:
                    await database.execute("INSERT INTO failed_tasks VALUES (%s)", [str(error)])
            return run

        async def attempts(function, *args):
            async for attempt in AsyncRetrying(reraise=True):
                with attempt:
                    return await function(*args)

        @broker.task
        @with_retry
        async def score(): ...
        """
    )
    assert [resource.id for resource in finding.related] == ["jobs.score"]
    assert [each.source for each in finding.evidence] == ["jobs.py:18", "jobs.py:13", "jobs.py:14"]
