"""The model is found where the environment names it, or else where the source does."""

from __future__ import annotations

from pathlib import Path

import pytest

from doctor.embedding_model import embedding_model
from doctor.resources.environment import Environment
from doctor.resources.models import Models
from tests.source.conftest import Project, project

__all__ = ["Project", "project"]

DEFAULT = """\
    import os

    HOST = os.getenv("OLLAMA_HOST", "http://127.0.0.1:11434")
    MODEL = os.environ.get("OLLAMA_EMBEDDING_MODEL", "{model}")
"""
CALL = """\
    import ollama

    client = ollama.AsyncClient("http://127.0.0.1:11434")


    async def embed(text: str) -> list[float]:
        return (await client.embeddings(model="{model}", prompt=text))["embedding"]
"""


def found(root: Path, source: object, url: str | None = None) -> tuple[str, str, str] | None:
    model = embedding_model(Environment(root), Models(url), source)  # type: ignore[arg-type]
    return None if model is None else (model.name, model.server.url, model.origin)


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OLLAMA_HOST", "OLLAMA_EMBEDDING_MODEL", "EMBEDDING_MODEL"):
        monkeypatch.delenv(name, raising=False)


def test_a_variable_that_is_set_counts(project: Project, tmp_path: Path) -> None:
    source = project({"app.py": DEFAULT.format(model="mxbai-embed-large"), ".env": "EMBEDDING_MODEL=all-minilm\n"})
    assert found(tmp_path, source, "http://127.0.0.1:9") == ("all-minilm", "http://127.0.0.1:9", "EMBEDDING_MODEL")


def test_an_address_that_only_the_code_knows_is_that_of_the_variable_s_model(project: Project, tmp_path: Path) -> None:
    source = project({"app.py": DEFAULT.format(model="mxbai-embed-large"), ".env": "EMBEDDING_MODEL=all-minilm\n"})
    assert found(tmp_path, source) == ("all-minilm", "http://127.0.0.1:11434", "EMBEDDING_MODEL")


def test_what_the_code_takes_while_the_variable_is_not_set_counts_next(project: Project, tmp_path: Path) -> None:
    source = project({"app.py": DEFAULT.format(model="mxbai-embed-large"), "ask.py": CALL.format(model="all-minilm")})
    assert found(tmp_path, source) == ("mxbai-embed-large", "http://127.0.0.1:11434", "app.py:4")


def test_a_model_that_only_a_call_names_is_found(project: Project, tmp_path: Path) -> None:
    source = project({"ask.py": CALL.format(model="nomic-embed-text")})
    assert found(tmp_path, source) == ("nomic-embed-text", "http://127.0.0.1:11434", "ask.py:7")


def test_places_that_name_several_models_say_nothing(project: Project, tmp_path: Path) -> None:
    calls = {f"{number}.py": CALL.format(model=model) for number, model in enumerate(("nomic-embed-text", "bge-m3"))}
    assert found(tmp_path, project(calls)) is None


def test_without_a_source_and_a_variable_there_is_none(tmp_path: Path) -> None:
    assert found(tmp_path, None, "http://127.0.0.1:9") is None
