"""Secrets in files that git tracks, in real repositories; what they are is said nowhere."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from doctor.checks.secret_in_tracked_file import secret_in_tracked_file
from doctor.model import Finding
from doctor.resources.environment import Environment
from doctor.resources.tracked_secrets import secret_kind, tracked_secrets

KEY = "sk-" + "a1b2c3d4" * 4
ENV = f"OPENAI_API_KEY={KEY}\nDATABASE_URL=postgresql://app:hunter2hunter2@db.example/x\nLOG_LEVEL=INFO\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    return tmp_path


def tracked(root: Path, **files: str) -> None:
    for name, text in files.items():
        (root / name).write_text(text)
    subprocess.run(["git", "add", "-f", *files], cwd=root, check=True)


async def test_a_tracked_file_is_named_with_the_variables_and_without_their_values(repository: Path):
    tracked(repository, **{".env": ENV})
    found = [one async for one in secret_in_tracked_file.detect(environment=Environment(repository))]
    (finding,) = found
    assert isinstance(finding, Finding)
    assert finding.symptom == "git tracks .env, which holds 2 secrets: `OPENAI_API_KEY`, `DATABASE_URL`"
    assert finding.fixes[0].code == "git rm --cached .env"
    assert KEY not in repr(finding)
    assert "hunter2" not in repr(finding)


async def test_a_file_that_git_does_not_know_is_where_secrets_belong(repository: Path):
    (repository / ".env").write_text(ENV)
    tracked(repository, **{".gitignore": ".env\n"})
    (seen,) = [one async for one in secret_in_tracked_file.detect(environment=Environment(repository))]
    assert seen.rules_out == "secret in git"


def test_without_a_repository_there_is_nothing_to_ask(tmp_path: Path):
    (tmp_path / ".env").write_text(ENV)
    assert tracked_secrets(tmp_path) is None


def test_in_an_example_only_the_shape_of_a_real_key_counts(repository: Path):
    tracked(repository, **{".env.example": f"DB_PASSWORD=hunter2hunter2\nHF_TOKEN={KEY}\n"})
    assert [(one.name, one.line) for one in tracked_secrets(repository) or ()] == [("HF_TOKEN", 2)]


def test_a_literal_in_a_compose_file_counts_and_a_reference_does_not(repository: Path):
    service = "services:\n  api:\n    environment:\n      API_TOKEN: {}\n      DB_PASSWORD: ${{DB_PASSWORD}}\n"
    tracked(repository, **{"compose.yaml": service.format("f3a9c27b11e84d0e")})
    assert [(one.path, one.line) for one in tracked_secrets(repository) or ()] == [("compose.yaml", 4)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("API_KEY", "changeme"),
        ("API_KEY", "<your-key>"),
        ("API_KEY", "${OTHER}"),
        ("OPENAI_API_KEY", "sk-your-key-here-000000000000"),
        ("POSTGRES_PASSWORD", "postgres"),
        ("DATABASE_URL", "postgresql://app:app@db:5432/app"),
        ("DATABASE_URL", "postgresql://postgres:postgres@localhost/x"),
        ("DATABASE_URL", "postgresql://db/x"),
        ("LOG_LEVEL", "INFO"),
        ("ADMIN", "someone@company.example"),
        ("SECRET_KEY", ""),
    ],
)
def test_a_placeholder_or_the_password_of_an_image_is_no_secret(name: str, value: str):
    assert secret_kind(name, value) == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X", KEY),
        ("DB_PASSWORD", "correct-horse-battery"),
        ("NATS_URL", "nats://app:s3cr3tp4ss@nats.example:4222"),
        ("SIGNING_KEY", "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----"),
    ],
)
def test_a_secret_is_one_by_its_name_or_its_shape(name: str, value: str):
    assert secret_kind(name, value)
