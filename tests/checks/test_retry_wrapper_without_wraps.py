"""TSK006 names a task as its library does."""

from __future__ import annotations

from pathlib import Path

import pytest

from doctor.api import Finding, Source
from doctor.checks.retry_wrapper_without_wraps import retry_wrapper_without_wraps

QUEUE = """\
from {imports}


def logged(function):
    def inner(*args):
        return function(*args)

    return inner


@{registrar}
@logged
def clean():
    pass
"""


@pytest.mark.parametrize(
    ("imports", "registrar", "name"),
    [
        ("taskiq import InMemoryBroker\n\nbroker = InMemoryBroker()", "broker.task", "orders:inner"),
        ("celery import shared_task", "shared_task", "orders.inner"),
        ("dramatiq import actor", "actor", "inner"),
    ],
)
def test_a_task_is_named_as_its_library_names_it(tmp_path: Path, imports: str, registrar: str, name: str) -> None:
    (tmp_path / "orders.py").write_text(QUEUE.format(imports=imports, registrar=registrar))
    (finding,) = retry_wrapper_without_wraps.detect(Source.read(tmp_path))
    assert isinstance(finding, Finding)
    assert finding.symptom == f"`clean` is registered as `{name}`"
    assert "`def inner` in" in finding.fixes[0].title
