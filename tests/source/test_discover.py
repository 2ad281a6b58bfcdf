"""Which files count as the target's own."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
from pathlib import Path

import pytest

from doctor.source import discover
from doctor.source.discover import UNSEEN, python_files, stamped_files
from doctor.source.index import open_source


def write(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("")


def git(root: Path, *arguments: str) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, env=environment)


def test_only_python_files_are_found_in_order(tmp_path: Path) -> None:
    write(tmp_path, "b.py", "a.py", "pkg/c.py", "notes.txt", "stub.pyi", "book.ipynb")
    assert python_files(tmp_path) == ["a.py", "b.py", "pkg/c.py"]


@pytest.mark.parametrize(
    "path",
    [".hidden/a.py", ".doctor/a.py", "node_modules/x/a.py", "venv/a.py", "lib/site-packages/a.py", "build/lib/a.py"],
)
def test_code_of_other_people_and_copies_are_left_out(tmp_path: Path, path: str) -> None:
    write(tmp_path, "own.py", path)
    assert python_files(tmp_path) == ["own.py"]


def test_a_virtual_environment_is_recognised_under_any_name(tmp_path: Path) -> None:
    write(tmp_path, "own.py", "python3/pyvenv.cfg", "python3/lib/a.py")
    assert python_files(tmp_path) == ["own.py"]


def test_a_package_called_build_is_the_targets_own(tmp_path: Path) -> None:
    write(tmp_path, "build/__init__.py", "build/steps.py")
    assert python_files(tmp_path) == ["build/__init__.py", "build/steps.py"]


def test_links_pipes_and_folders_named_like_files_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, "own.py", "folder.py/inner.py")
    (tmp_path / "loop").symlink_to(".")
    (tmp_path / "link.py").symlink_to("own.py")
    os.mkfifo(tmp_path / "pipe.py")
    assert python_files(tmp_path) == ["folder.py/inner.py", "own.py"]


def test_gitignore_is_respected_in_a_checkout(tmp_path: Path) -> None:
    write(tmp_path, "own.py", "generated/a.py", "sub/kept.py", "sub/scratch.py")
    (tmp_path / ".gitignore").write_text("generated/\n")
    (tmp_path / "sub" / ".gitignore").write_text("*.py\n!kept.py\n")
    git(tmp_path, "init", "-q")
    assert python_files(tmp_path) == ["own.py", "sub/kept.py"]


def test_a_folder_inside_a_checkout_has_paths_relative_to_itself(tmp_path: Path) -> None:
    write(tmp_path, "service/app/a.py", "other.py")
    git(tmp_path, "init", "-q")
    assert python_files(tmp_path / "service") == ["app/a.py"]


def test_a_root_that_is_itself_ignored_is_walked(tmp_path: Path) -> None:
    write(tmp_path, "sandboxes/one/app/a.py")
    (tmp_path / ".gitignore").write_text("sandboxes/\n")
    git(tmp_path, "init", "-q")
    assert python_files(tmp_path / "sandboxes" / "one") == ["app/a.py"]


def test_the_environment_of_a_git_hook_does_not_mislead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "target/own.py", "elsewhere/other.py")
    for name in ("target", "elsewhere"):
        git(tmp_path / name, "init", "-q")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere" / ".git"))
    assert python_files(tmp_path / "target") == ["own.py"]


def test_a_checkout_cannot_make_the_doctor_run_a_program(tmp_path: Path) -> None:
    write(tmp_path, "own.py")
    git(tmp_path, "init", "-q")
    program = tmp_path / "monitor.sh"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    program.chmod(0o755)
    git(tmp_path, "config", "core.fsmonitor", str(program))
    assert python_files(tmp_path) == ["own.py"]
    assert not (tmp_path / "ran").exists()


def test_a_file_that_was_deleted_but_is_still_tracked_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, "own.py", "gone.py")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    (tmp_path / "gone.py").unlink()
    assert python_files(tmp_path) == ["own.py"]


def test_an_empty_or_missing_folder_has_no_files(tmp_path: Path) -> None:
    assert python_files(tmp_path) == []
    assert python_files(tmp_path / "missing") == []


def test_gitignore_is_respected_without_git(tmp_path: Path) -> None:
    write(tmp_path, "own.py", "generated/a.py", "sub/kept.py", "sub/scratch.py", "sub/deep/b.py", "logs/c.py")
    (tmp_path / ".gitignore").write_text("# made\ngenerated/\n/logs\n")
    (tmp_path / "sub" / ".gitignore").write_text("*.py\n!kept.py\n!/deep/\n")
    assert python_files(tmp_path) == ["own.py", "sub/kept.py"]


def test_gitignore_is_respected_in_a_checkout_on_a_machine_without_git(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "own.py", "generated/a.py", "sub/kept.py", "sub/scratch.py")
    (tmp_path / ".gitignore").write_text("generated/\n")
    (tmp_path / "sub" / ".gitignore").write_text("*.py\n!kept.py\n")
    git(tmp_path, "init", "-q")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert python_files(tmp_path) == ["own.py", "sub/kept.py"]


def test_a_nested_gitignore_speaks_of_its_own_folder(tmp_path: Path) -> None:
    write(tmp_path, "a/skip.py", "b/skip.py", "a/c/skip.py")
    (tmp_path / "a" / ".gitignore").write_text("/skip.py\n")
    assert python_files(tmp_path) == ["a/c/skip.py", "b/skip.py"]


@pytest.mark.parametrize("content", [b"\xff\xfe*.py\n", b"[\n", b"!\n", b"\\\n"])
def test_a_strange_gitignore_does_no_harm(tmp_path: Path, content: bytes) -> None:
    write(tmp_path, "own.py")
    (tmp_path / ".gitignore").write_bytes(content)
    assert python_files(tmp_path) == ["own.py"]


def test_a_gitignore_that_is_a_folder_or_a_pipe_is_none(tmp_path: Path) -> None:
    write(tmp_path, "own.py", "sub/a.py")
    (tmp_path / ".gitignore").mkdir()
    os.mkfifo(tmp_path / "sub" / ".gitignore")
    assert python_files(tmp_path) == ["own.py", "sub/a.py"]


def test_the_isolated_reader_finds_the_library_that_reads_gitignore(tmp_path: Path) -> None:
    write(tmp_path, "own.py", "made.py", "pathspec.py")
    (tmp_path / ".gitignore").write_text("made.py\n")
    assert asyncio.run(open_source(tmp_path, 20)).files == ("own.py", "pathspec.py")


@pytest.mark.parametrize("in_checkout", [False, True])
def test_a_folder_that_may_not_be_listed_stands_for_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_checkout: bool
) -> None:
    write(tmp_path, "own.py", "locked/a.py", "node_modules/b.py")
    if in_checkout:  # git leaves out what it cannot open, and says so
        monkeypatch.setattr(discover, "_listed_by_git", lambda _root: (["own.py"], False))
        (tmp_path / ".git").mkdir()
    scandir = os.scandir

    def refusing(path: str) -> object:
        if path.endswith(("locked", "node_modules")):  # root may list everything
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert stamped_files(tmp_path)["locked"] is UNSEEN
    assert python_files(tmp_path) == ["locked", "own.py"]


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    write(tmp_path, "a/own.py")
    (tmp_path / "a" / "b").symlink_to(tmp_path / "a")
    (tmp_path / "x.py").symlink_to("y.py")
    (tmp_path / "y.py").symlink_to("x.py")
    assert python_files(tmp_path) == ["a/own.py"]


def test_folders_may_be_nested_very_deeply(tmp_path: Path) -> None:
    folder = tmp_path
    for _ in range(400):
        folder /= "d"
    folder.mkdir(parents=True)
    (folder / "own.py").write_text("")
    assert python_files(tmp_path) == ["d/" * 400 + "own.py"]


def test_a_stamp_changes_with_any_write(tmp_path: Path) -> None:
    write(tmp_path, "own.py")
    (before,) = stamped_files(tmp_path).values()
    (tmp_path / "own.py").replace(tmp_path / "old.txt")
    write(tmp_path, "own.py")
    (after,) = stamped_files(tmp_path).values()
    assert before != after
