"""Where variables are read, under the names that they have in the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from doctor.source.collectors.environment_reads import COLLECTOR, EnvironmentRead
from doctor.source.index import Source

PLAIN = """\
import os
from os import environ, getenv as get
from decouple import config

A = os.environ["A"]
B = environ.get("B", "b")
C = get("C")
D = config("D")
E = config("E", default=5)
os.environ["SET"] = "x"
for name in ("X", "Y"):
    os.environ[name]
"""
SETTINGS = """\
from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="APP_", env_ignore_empty=True)

    url: str
    size: int = 3
    token: str | None = None
    key: str = Field(..., alias="THE_KEY")
    host: str = Field(default="h", validation_alias=AliasChoices("HOST_A", "HOST_B"))
    made: list[str] = Field(default_factory=list)


class Other:
    url: str
"""


def reads(root: Path, text: str, path: str = "app.py") -> list[EnvironmentRead]:
    (root / path).parent.mkdir(exist_ok=True)
    (root / path).write_text(text)
    return list(Source.read(root).collected(COLLECTOR))


def test_reads_with_and_without_a_default_are_told_apart(tmp_path: Path):
    found = {read.name: (read.required, read.default) for read in reads(tmp_path, PLAIN) if not read.sets}
    assert found == {
        "A": (True, None),
        "B": (False, "b"),
        "C": (False, None),
        "D": (True, None),
        "E": (False, "5"),
    }


def test_fields_of_settings_are_read_under_prefix_and_alias(tmp_path: Path):
    found = reads(tmp_path, SETTINGS)
    assert {read.name: (read.required, read.default) for read in found} == {
        "APP_URL": (True, None),
        "APP_SIZE": (False, "3"),
        "APP_TOKEN": (False, None),
        "THE_KEY": (True, None),
        "HOST_A": (False, "h"),
        "HOST_B": (False, "h"),
        "APP_MADE": (False, None),
    }
    assert all(read.ignores_empty for read in found)


def test_settings_that_nobody_makes_at_the_start_are_read_later(tmp_path: Path):
    assert not any(read.at_start for read in reads(tmp_path, SETTINGS + "\n\ndef settings():\n    return Settings()\n"))
    assert all(read.at_start for read in reads(tmp_path, SETTINGS + "\n\nsettings = Settings()\n"))


def test_what_tests_read_is_apart(tmp_path: Path):
    assert all(read.apart for read in reads(tmp_path, PLAIN, "tests/test_app.py"))


def test_what_the_code_sets_is_told_from_what_it_reads(tmp_path: Path):
    text = 'import os\nos.environ["A"] = "x"\nos.environ.setdefault("B", "y")\nos.environ["C"]\n'
    assert [(read.name, read.sets) for read in reads(tmp_path, text)] == [("A", True), ("B", True), ("C", False)]


READS = {
    "at the start": ("{read}", True, True),
    "as a program": ("if __name__ == '__main__':\n    {read}", True, True),
    "in a function": ("def f():\n    return {read}", True, False),
    "in a method of a class": ("class C:\n    def f(self):\n        return {read}", True, False),
    "in the test of a branch": ("if {read}:\n    pass", True, True),
    "in a branch": ("if debug:\n    {read}", False, True),
    "in the other branch": ("if debug:\n    pass\nelse:\n    {read}", False, True),
    "in an expression's branch": ("a = {read} if debug else 1", False, True),
    "right of or": ("a = given or {read}", False, True),
    "left of or": ("a = {read} or given", True, True),
    "in a loop": ("for one in many:\n    {read}", False, True),
    "in a case": ("match one:\n    case 1:\n        {read}", False, True),
    "where its absence is caught": ("try:\n    {read}\nexcept KeyError:\n    pass", False, True),
    "where everything is caught": ("try:\n    {read}\nexcept:\n    pass", False, True),
    "where another error is caught": ("try:\n    {read}\nexcept OSError:\n    pass", True, True),
    "in a handler": ("try:\n    start()\nexcept OSError:\n    {read}", False, True),
    "at the end of a try": ("try:\n    start()\nexcept KeyError:\n    pass\nfinally:\n    {read}", True, True),
    "where its absence is suppressed": ("with suppress(KeyError):\n    {read}", False, True),
    "in another block": ("with lock:\n    {read}", True, True),
    "where the file asks for it": ("if 'X' in os.environ: pass\n{read}", False, True),
    "where the file asks for another": ("if 'Y' in os.environ: pass\n{read}", True, True),
}


@pytest.mark.parametrize(("text", "required", "at_start"), READS.values(), ids=READS)
def test_a_variable_is_required_unless_a_condition_is_to_be_seen(
    tmp_path: Path, text: str, required: bool, at_start: bool
):
    (found,) = reads(tmp_path, "import os\n" + text.replace("{read}", 'os.environ["X"]') + "\n")
    assert (found.required, found.at_start) == (required, at_start)
