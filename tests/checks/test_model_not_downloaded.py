"""Models that the target loads itself: absent is a note, forbidden and absent an error, in part a warning."""

from __future__ import annotations

from pathlib import Path

import pytest

from doctor.check import NotApplicableError
from doctor.commands.output import registry
from doctor.model import Finding
from doctor.resources.environment import Environment
from doctor.source.index import Source

NAME = "Qwen/Qwen2.5-3B-Instruct"
CODE = """\
from huggingface_hub import snapshot_download
from sentence_transformers import SentenceTransformer


def prepare(name):
    snapshot_download("Qwen/Qwen2.5-3B-Instruct")
    snapshot_download(name)
    return SentenceTransformer("all-MiniLM-L6-v2")
"""


def found(root: Path, source: Source | None = None, **variables: str) -> list[Finding]:
    environment = Environment(root, files=(), process_environment={"HF_HUB_CACHE": str(root / "cache"), **variables})
    return [item for item in registry().checks["MOD010"].detect(environment, source) if isinstance(item, Finding)]


def fill(root: Path, *files: str) -> None:
    snapshot = root / "cache" / "models--Qwen--Qwen2.5-3B-Instruct" / "snapshots" / "abc"
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
def test_what_is_there_decides(tmp_path: Path, files: tuple[str, ...], offline: str, severity: str | None):
    """Signature 13, the half that the cache tells: would the start wait for a download?"""
    if files:
        fill(tmp_path, *files)
    findings = found(tmp_path, LOCAL_MODEL=NAME, HF_HUB_OFFLINE=offline)
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
