"""Settings files are searched within limits, and what is no settings file of the target is left alone."""

from __future__ import annotations

import os
import re
from pathlib import Path

from doctor.source import settings_files
from doctor.source.settings_files import search_settings

PATTERN = re.compile(r"(?P<found>old\.example)")


def write(root: Path, *names: str, text: str = "url: old.example\n") -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def test_settings_are_found_by_their_names_and_nothing_else_is_read(tmp_path: Path) -> None:
    write(tmp_path, ".env", ".env.local", "a/production.env", "a/b/app.yaml", "pyproject.toml")
    write(tmp_path, "notes.md", "poetry.lock", "pnpm-lock.yaml", ".git/config.yaml", "node_modules/x/a.yml", "env.py")
    found = [line.path for line in search_settings(tmp_path, PATTERN).lines]
    assert found == [".env", ".env.local", "pyproject.toml", "a/production.env", "a/b/app.yaml"]


def test_a_comment_is_no_setting(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", text="# old.example\nurl: new # was old.example\nlast: old.example # kept\n")
    assert [line.line for line in search_settings(tmp_path, PATTERN).lines] == [3]


def test_the_nearest_files_are_read_when_there_are_too_many(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(settings_files, "MAX_FILES", 2)
    write(tmp_path, "z.yaml", "a/y.yaml", "a/b/x.yaml")
    searched = search_settings(tmp_path, PATTERN)
    assert [line.path for line in searched.lines] == ["z.yaml", "a/y.yaml"]
    assert not searched.is_whole


def test_links_pipes_and_large_files_are_passed_over(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(settings_files, "MAX_BYTES", 100)
    outside = tmp_path / "outside"
    root = tmp_path / "root"
    write(outside, "a.yaml")
    write(root, "large.yaml", text="url: old.example\n" * 10)
    (root / "link.yaml").symlink_to(outside / "a.yaml")
    (root / "folder").symlink_to(root)
    os.mkfifo(root / "pipe.yaml")
    assert search_settings(root, PATTERN).lines == ()


def test_a_file_above_the_root_is_searched_when_it_is_named(tmp_path: Path) -> None:
    write(tmp_path, ".env")
    (tmp_path / "root").mkdir()
    (line,) = search_settings(tmp_path / "root", PATTERN, [tmp_path / ".env"]).lines
    assert line.path == str(tmp_path / ".env")
    assert line.found == "old.example"


def test_a_secret_beside_the_match_is_not_shown(tmp_path: Path) -> None:
    write(tmp_path, ".env", text="URL=https://user:hunter2secret@old.example\n")
    (line,) = search_settings(tmp_path, PATTERN).lines
    assert "hunter2secret" not in line.text
