"""``doctor explain``: the page of every check and fix, by whatever name it is asked for."""

from __future__ import annotations

import json

import pytest

from doctor.main import main
from tests.example_runs import BUILT_INS


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["explain", *arguments]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


@pytest.mark.parametrize("code", sorted(BUILT_INS.checks))
def test_a_check_is_explained_by_code_and_by_name(capsys, code: str):
    check = BUILT_INS.checks[code]
    page = shown(capsys, code)
    assert page == shown(capsys, check.name) == shown(capsys, code.lower())
    assert page.startswith(f"# {code} {check.name}\n\n{check.summary}")
    assert "## What it finds" in page
    assert "```python" in page or not check.bad


def test_a_check_over_source_shows_what_it_finds_and_what_it_leaves_alone(capsys):
    page = shown(capsys, "TSK001")
    assert "## Found: a retry decorator of the project stands above the registrar" in page
    assert "## Not found: the registrar is on top" in page


@pytest.mark.parametrize("name", sorted(BUILT_INS.fixes))
def test_a_fix_is_explained_by_its_name(capsys, name: str):
    assert shown(capsys, name).startswith(f"# {name}\n\n")


def test_a_page_is_data_for_programs(capsys):
    data = json.loads(shown(capsys, "TSK001", "--format", "json"))
    assert (data["code"], data["name"], data["needs"]) == ("TSK001", "task-decorator-order", ["source"])
    assert data["causes"] == [
        {"effect": "CHN001", "how": "the task cannot be enqueued, so its stage is never run"},
        {"effect": "CHN002", "how": "the task cannot be enqueued, and the failure is written down"},
    ]


@pytest.mark.parametrize(
    "word, near",
    [
        ("TSK0001", "TSK001"),
        ("tsk-001", "TSK001"),
        ("task-decorator-ordre", "task-decorator-order"),
        ("swap-decorator", "swap-decorators"),
    ],
)
def test_a_misspelled_name_is_told_with_the_one_that_was_meant(capsys, word: str, near: str):
    assert main(["explain", word]) == 2
    assert f"did you mean {near!r}?" in " ".join(capsys.readouterr().err.split())


def test_a_name_that_resembles_nothing_leads_to_the_list(capsys):
    assert main(["explain", "zzzzzzzz"]) == 2
    assert "`doctor list` shows them all" in capsys.readouterr().err


@pytest.mark.parametrize("code", ["DOC001", "DOC002", "DOC012"])
def test_what_doctor_says_about_itself_has_a_page_too(capsys: pytest.CaptureFixture[str], code: str):
    page = shown(capsys, code.lower())
    assert page.startswith(f"# {code} ")
    assert "## How to fix" in page
    assert json.loads(shown(capsys, code, "--format", "json")) == {"code": code, "page": page}
