"""Every guarantee on the page is proved by a test that exists."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "pipeline.md").read_text(encoding="utf-8")


def names_of_tests() -> set[str]:
    """Return the names of all test functions."""
    return {
        node.name
        for file in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_")
    }


def test_every_test_that_the_page_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert named
    assert named <= names_of_tests()


def test_every_line_of_the_tables_names_a_test() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "proved by" not in line]
    assert len(rows) == 25
    assert [row for row in rows if not re.search(r"`test_\w+`[^|]*\|$", row)] == []


def test_every_setting_that_the_page_names_is_one_of_the_application() -> None:
    from doctor.pipeline.app.settings import Settings

    named = set(re.findall(r"`(TASK_\w+)`", PAGE))
    assert named
    assert {name.lower() for name in named} <= Settings.model_fields.keys()
