"""Projects of a few files, written to disk and read as the doctor reads a target."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from doctor.source.index import Source

Project = Callable[..., Source]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Write ``{path: text}`` (indented as the test likes) and read the folder."""

    def write_and_read(files: dict[str, str]) -> Source:
        for path, text in files.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(dedent(text), encoding="utf-8")
        return Source.read(tmp_path)

    return write_and_read
