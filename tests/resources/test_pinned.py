"""What a target's own files say of the version of a package."""

from __future__ import annotations

from pathlib import Path

import pytest

from doctor.resources.pinned import Version, least_version


@pytest.mark.parametrize(
    ("file", "text", "version"),
    [
        ("requirements.txt", "PyJWT==2.15.1\n", (2, 15, 1)),
        ("requirements/api.txt", "pyjwt[crypto] >= 2.14  # keys\n", (2, 14)),
        ("constraints.txt", "other==3\npyjwt~=2.8.0\n", (2, 8, 0)),
        ("pyproject.toml", 'dependencies = ["pyjwt[crypto]>=2.10,<3"]\n', (2, 10)),
        ("uv.lock", '[[package]]\nname = "pyjwt"\nversion = "2.13.0"\n', (2, 13, 0)),
        ("requirements.txt", "pyjwt\nflask-pyjwt==9\npyjwt-extra==9\npyjwt<3\n", None),
    ],
)
def test_the_lowest_version_that_is_let_in_is_read(tmp_path: Path, file: str, text: str, version: Version | None):
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(text)
    assert least_version(tmp_path, "pyjwt") == version


def test_of_several_files_the_most_lenient_counts(tmp_path: Path):
    (tmp_path / "requirements.txt").write_text("pyjwt==2.15.0\n")
    (tmp_path / "requirements-old.txt").write_text("pyjwt==2.9.0\n")
    assert least_version(tmp_path, "pyjwt") == (2, 9, 0)


def test_without_a_file_nothing_is_known(tmp_path: Path):
    assert least_version(tmp_path, "pyjwt") is None
