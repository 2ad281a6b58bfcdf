"""Where variables are read, under the names that they have in the environment."""

from __future__ import annotations

from pathlib import Path

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
    found = {read.name: (read.required, read.default) for read in reads(tmp_path, PLAIN)}
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


def test_what_tests_read_is_apart(tmp_path: Path):
    assert all(read.apart for read in reads(tmp_path, PLAIN, "tests/test_app.py"))
