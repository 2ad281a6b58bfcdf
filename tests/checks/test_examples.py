"""Every check over source files finds its BAD examples and is silent about its GOOD ones."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

import pytest

import doctor.checks
from doctor.api import Check, Environment, Example, Finding, SimilarityQueries, Source, checks_in

MODULES = [
    importlib.import_module(f"doctor.checks.{module.name}") for module in pkgutil.iter_modules(doctor.checks.__path__)
]
GIVEN = {"source", "environment", "queries"}
FROM_SOURCE = [
    check for check in checks_in(MODULES) if "static" in check.tags and {"environment"} != set(check.needs) <= GIVEN
]


def cases(kind: str) -> list[object]:
    return [
        pytest.param(check, example, id=f"{check.code}: {example.title}")
        for check in FROM_SOURCE
        for example in getattr(check, kind)
    ]


async def findings(check: Check, example: Example, root: Path) -> list[Finding]:
    for path, text in example.files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    source = Source.read(root)
    resources = {
        "source": source,
        "environment": Environment(root, process_environment={}),
        "queries": SimilarityQueries.of(source),
    }
    yielded = check.detect(**{name: resources[name] for name in check.needs})
    found = [item async for item in yielded] if hasattr(yielded, "__aiter__") else list(yielded)
    return [item for item in found if isinstance(item, Finding)]


@pytest.mark.parametrize("check", FROM_SOURCE, ids=lambda check: check.code)
def test_a_check_over_source_shows_what_it_finds_and_what_it_does_not(check: Check) -> None:
    assert check.bad
    assert check.good


@pytest.mark.parametrize(("check", "example"), cases("bad"))
async def test_a_bad_example_is_found(check: Check, example: Example, tmp_path: Path) -> None:
    found = await findings(check, example, tmp_path)
    assert found
    for finding in found:
        assert finding.code == check.code
        assert finding.evidence
        assert finding.resource.path in example.files
        assert finding.resource.line is not None
        assert finding.fixes
        assert finding.validation


@pytest.mark.parametrize(("check", "example"), cases("good"))
async def test_a_good_example_is_silent(check: Check, example: Example, tmp_path: Path) -> None:
    assert await findings(check, example, tmp_path) == []
