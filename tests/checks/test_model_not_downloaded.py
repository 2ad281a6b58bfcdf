"""Models that the target loads itself: absent is a note, forbidden and absent an error, in part a warning."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError

from doctor.check import NotApplicableError
from doctor.commands.output import registry
from doctor.model import CheckResult, Finding
from doctor.pipeline.sandbox.hugging_face import world
from doctor.pipeline.sandbox.hugging_face.application import build_application
from doctor.resources.environment import Environment
from doctor.resources.models import Models
from doctor.runner import run_checks
from doctor.source.index import Source
from doctor.target import Target
from tests.serving import serving

NAME = "Qwen/Qwen2.5-7B-Instruct"
CODE = """\
from huggingface_hub import snapshot_download
from sentence_transformers import SentenceTransformer


def prepare(name):
    snapshot_download("Qwen/Qwen2.5-7B-Instruct")
    snapshot_download(name)
    return SentenceTransformer("all-MiniLM-L6-v2")
"""


@pytest.fixture(scope="module")
def hub() -> Iterator[str]:
    with serving(build_application()) as url:
        yield url


def found(root: Path, source: Source | None = None, **variables: str) -> list[Finding]:
    where = {"HF_HUB_CACHE": str(root / "cache"), "HF_ENDPOINT": "http://127.0.0.1:1", **variables}
    environment = Environment(root, files=(), process_environment=where)

    async def look() -> list[Finding]:
        models = Models(None)
        detected = registry().checks["MOD010"].detect(environment, models, source)
        findings = [item async for item in detected if isinstance(item, Finding)]  # type: ignore[union-attr]
        await models.close()
        return findings

    return asyncio.run(look())


def fill(root: Path, *files: str) -> None:
    snapshot = root / "cache" / "models--Qwen--Qwen2.5-7B-Instruct" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    for name in files:
        (snapshot / name).write_text("{}")


@pytest.mark.parametrize(
    "files, offline, severity",
    [
        ((), "0", "info"),
        ((), "1", "error"),
        (("config.json",), "0", "warning"),
        (("config.json",), "1", "error"),
        (("config.json", "model.safetensors"), "0", None),
        (("config.json", "model.safetensors"), "1", None),
    ],
)
def test_what_is_there_decides(tmp_path: Path, hub: str, files: tuple[str, ...], offline: str, severity: str | None):
    """Signature 13, the half that the cache tells: would the start wait for a download?"""
    if files:
        fill(tmp_path, *files)
    findings = found(tmp_path, LOCAL_MODEL=NAME, HF_HUB_OFFLINE=offline, HF_ENDPOINT=hub)
    assert [finding.severity for finding in findings] == ([] if severity is None else [severity])


def test_models_that_the_code_names_are_looked_for(tmp_path: Path):
    (tmp_path / "models.py").write_text(CODE)
    findings = found(tmp_path, Source.read(tmp_path))
    assert [finding.resource.id for finding in findings] == [
        f"huggingface/{NAME}",
        "huggingface/sentence-transformers/all-MiniLM-L6-v2",
    ]
    assert findings[0].resource.location == "models.py:6"


def test_a_folder_of_this_machine_is_no_repository(tmp_path: Path):
    for variables in ({"LOCAL_MODEL": "./models/small"}, {}):
        with pytest.raises(NotApplicableError):
            found(tmp_path, **variables)


@pytest.mark.parametrize(
    "name, token, words",
    [
        ("meta-llama/Llama-3.1-8B-Instruct", world.GOOD_TOKEN, "its licence has not been accepted"),
        ("stand-in/private-model", "", "missing or private, and there is no token"),
        ("nosuch/model", world.GOOD_TOKEN, "the Hub has no such model"),
        ("stand-in/withdrawn", world.GOOD_TOKEN, "withdrawn"),
        (NAME, "hf_nobodysToken000000000000000000", "refuses the token"),
    ],
)
def test_what_the_hub_would_refuse_cannot_be_loaded(tmp_path: Path, hub: str, name: str, token: str, words: str):
    """Signature 11, for a model that the target loads itself."""
    (finding,) = found(tmp_path, LOCAL_MODEL=name, HF_TOKEN=token, HF_ENDPOINT=hub)
    assert words in finding.symptom
    assert finding.severity == "error"
    assert token == "" or token not in repr(finding)


def test_the_hub_is_asked_for_all_models_at_once(tmp_path: Path):
    """A stand-in for the Hub that answers nobody until both have asked."""
    both = asyncio.Barrier(2)

    async def answer(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await both.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    (tmp_path / "models.py").write_text(CODE)
    with serving(answer) as url:
        findings = found(tmp_path, Source.read(tmp_path), HF_ENDPOINT=url)
    assert [finding.severity for finding in findings] == ["info", "info"]


def test_a_hub_that_cannot_be_reached_is_said_so(tmp_path: Path):
    (finding,) = found(tmp_path, LOCAL_MODEL=NAME)
    assert "the Hub cannot be reached from here: nothing listens" in finding.symptom


@pytest.fixture
def look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], CheckResult]:
    """Run the whole check on code that loads a model of that name; nobody answers at the Hub's address."""
    for name, value in {"HF_HUB_CACHE": str(tmp_path / "cache"), "HF_ENDPOINT": "http://127.0.0.1:1"}.items():
        monkeypatch.setenv(name, value)

    def run(name: str) -> CheckResult:
        (tmp_path / "models.py").write_text(
            f"from huggingface_hub import snapshot_download\n\nsnapshot_download('{name}')\n"
        )

        async def work() -> tuple[CheckResult, ...]:
            async with Target.at(tmp_path, keeps_facts=False) as target:
                return await run_checks([registry().checks["MOD010"]], target)

        return asyncio.run(work())[0]

    return run


@pytest.mark.symptom("11f")
def test_a_provider_behind_the_name_is_for_the_router_and_not_for_the_hub(look: Callable[[str], CheckResult], told):
    with pytest.raises(HFValidationError):
        snapshot_download("openai/gpt-oss-120b:groq")
    told([look("openai/gpt-oss-120b:groq")])


@pytest.mark.variation("11f", "MOD010")
def test_without_a_provider_the_name_is_asked_for(look: Callable[[str], CheckResult], told):
    result = look("openai/gpt-oss-120b")
    told([result])
    assert "the Hub cannot be reached" in result.findings[0].symptom
