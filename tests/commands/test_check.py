"""``doctor check PATH…`` with nothing but source: in any folder, of any number of paths, and without a network."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import command, environment
from tests.forked_doctor import run

BROKEN = "from celery import shared_task\nfrom functools import lru_cache\n\n@lru_cache\n@shared_task\ndef job(): ...\n"
CALLER = "from jobs import job\n\ndef later():\n    job.delay()\n"

WATCHED = """\
import sys
opened = []
def watch(event, arguments):
    if event in ("socket.bind", "socket.connect", "socket.getaddrinfo", "socket.sendto"):
        opened.append((event, arguments[1:]))
sys.addaudithook(watch)
from doctor.main import main
code = main(sys.argv[1:])
print(opened, file=sys.stderr)
sys.exit(code)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "sub").mkdir(parents=True)
    (root / "jobs.py").write_text(BROKEN)
    (root / "caller.py").write_text(CALLER)
    (root / "sub" / "other.py").write_text("x = (\n")
    return root


def found(*paths: str, cwd: Path) -> tuple[int, set[tuple[str, str]]]:
    done = run("check", *paths, "--tag", "static", "--format", "json", cwd=cwd)
    document: dict[str, Any] = json.loads(done.stdout)
    findings = {(finding["code"], finding["resource"]["path"]) for finding in document["findings"]}
    return done.returncode, findings


def test_a_folder_without_configuration_or_git_is_checked(project: Path) -> None:
    assert found(cwd=project) == (1, {("TSK001", "jobs.py"), ("DOC010", "sub/other.py")})


def test_a_file_is_checked_with_the_names_of_the_files_around_it(project: Path) -> None:
    assert found("jobs.py", cwd=project) == (1, {("TSK001", "jobs.py")})
    assert found("caller.py", cwd=project)[1] == set()


def test_several_files_and_folders_are_checked_together(project: Path) -> None:
    assert found("jobs.py", "sub", cwd=project) == (1, {("TSK001", "jobs.py"), ("DOC010", "sub/other.py")})
    assert found("caller.py", "sub/other.py", cwd=project) == (0, {("DOC010", "sub/other.py")})


def test_several_roots_are_read_each_by_its_own_names(tmp_path: Path) -> None:
    for service in ("one", "two"):
        folder = tmp_path / service / "app"
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text("")
        (folder / "jobs.py").write_text(BROKEN if service == "one" else BROKEN.replace("@lru_cache\n", ""))
        (folder / "caller.py").write_text(CALLER.replace("from jobs", "from app.jobs"))
    assert found("one", "two", cwd=tmp_path) == (1, {("TSK001", "one/app/jobs.py")})


@pytest.fixture
def src_layout(tmp_path: Path) -> Path:
    jobs = tmp_path / "acme" / "src" / "acme" / "jobs"
    jobs.mkdir(parents=True)
    (jobs.parent / "__init__.py").write_text("")
    (jobs / "__init__.py").write_text("")
    (jobs / "keep.py").write_text("def keep(function):\n    return lambda *given: function(*given)\n")
    imports = "from celery import shared_task\nfrom acme.jobs.keep import keep\n"
    (jobs / "q.py").write_text(f"{imports}\n@keep\n@shared_task\ndef go(): ...\n")
    (jobs.parent / "web.py").write_text("from acme.jobs.q import go\n\ndef later():\n    go.delay()\n")
    return tmp_path / "acme"


@pytest.mark.parametrize("marker", [".git", "pyproject.toml", "doctor.toml"])
def test_a_file_is_checked_in_the_project_that_it_belongs_to(src_layout: Path, marker: str) -> None:
    (src_layout / marker).touch()
    file = "src/acme/jobs/q.py"
    assert found(file, cwd=src_layout) == (1, {("TSK001", file)})
    assert found("q.py", "keep.py", cwd=src_layout / "src/acme/jobs") == (1, {("TSK001", file)})
    assert [path.parent for path in src_layout.rglob(".doctor")] == [src_layout]


def test_a_folder_is_the_root_itself(src_layout: Path) -> None:
    (src_layout / ".git").touch()
    assert found("src/acme", cwd=src_layout) == (1, {("TSK001", "jobs/q.py")})


def test_a_file_that_is_no_python_source_is_a_usage_error(project: Path) -> None:
    (project / "notes.txt").write_text("no source")
    done = run("check", "notes.txt", cwd=project)
    assert (done.returncode, done.stdout) == (2, "")
    assert "notes.txt is no Python source" in done.stderr
    assert not (project / ".doctor").exists()


def test_a_python_script_without_a_suffix_is_no_usage_error(project: Path) -> None:
    (project / "run").write_text("#!/usr/bin/env python3\n")
    assert found("run", cwd=project) == (0, set())


def test_two_projects_on_one_command_line_are_refused(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "pyproject.toml").touch()
        (tmp_path / name / "jobs.py").write_text(BROKEN)
    done = run("check", "../one", "jobs.py", cwd=tmp_path / "two")
    assert (done.returncode, done.stdout) == (2, "")
    assert "different projects" in done.stderr
    assert list(tmp_path.rglob(".doctor")) == []


def test_two_services_of_one_repository_are_checked_together(tmp_path: Path) -> None:
    (tmp_path / ".git").touch()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "pyproject.toml").touch()
        (tmp_path / name / "jobs.py").write_text(BROKEN.replace("def job", f"def {name}"))
    assert found("one/jobs.py", "two", cwd=tmp_path)[0] == 0


def test_paths_without_a_common_folder_are_a_usage_error(project: Path) -> None:
    done = run("check", str(project), "/dev", cwd=project)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no folder in common" in done.stderr


def test_no_socket_is_opened_and_no_server_started(project: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", WATCHED, "check", "--tag", "static", "."],
        cwd=project,
        env=environment(DATABASE_URL="postgresql://db.invalid/x", OLLAMA_HOST="http://models.invalid"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "[]\n")


def test_what_was_read_is_kept_and_a_second_run_says_the_same(project: Path) -> None:
    first = found(cwd=project)
    assert {path.name for path in (project / ".doctor" / "cache").iterdir()} == {"checks-files", "checks-tree"}
    assert found(cwd=project) == first


def test_without_the_cache_nothing_is_kept(project: Path) -> None:
    run("check", "--no-cache", "--tag", "static", cwd=project)
    assert not (project / ".doctor" / "cache").exists()


def test_a_folder_that_cannot_be_written_is_checked_all_the_same(project: Path) -> None:
    (project / ".doctor").write_text("a file where the folder should be: even root cannot write there")
    code, findings = found(cwd=project)
    assert (code, len(findings)) == (1, 2)


def test_a_home_that_is_not_there_is_no_obstacle(project: Path) -> None:
    done = run("check", "--tag", "static", cwd=project, extra={"HOME": "/dev/null", "XDG_CACHE_HOME": ""})
    assert (done.returncode, done.stderr) == (1, "")
    assert not (project / ".doctor" / "cache").exists()


@pytest.mark.parametrize("words", [("--select", "AGT001"), ("--help",), ("--tag", "live"), ("missing",)])
def test_a_reader_that_nobody_wants_does_not_outlive_the_command(project: Path, words: tuple[str, ...]) -> None:
    done = subprocess.run(
        command("check", *words), cwd=project, env=environment(), capture_output=True, timeout=60, check=False
    )
    left = [one.name for one in Path("/proc").glob("[0-9]*") if str(project) in _command_line(one)]
    assert (left, b"Traceback" in done.stderr) == ([], False)


def _command_line(process: Path) -> str:
    try:
        return (process / "cmdline").read_text(errors="replace")
    except OSError:
        return ""


def test_lines_of_logs_witness_what_was_found_and_leave_the_rest_as_questions(project: Path) -> None:
    (project / "worker.log").write_text(
        "Failed to queue jobs task: 'function' object has no attribute 'delay'\nUnverified token rejected (x).\n"
    )
    shown = " ".join(run("check", "--tag", "static", "--logs", "worker.log", cwd=project).stdout.split())
    assert "witnessed by task-has-no-kiq ×1 worker.log:1 Failed to queue jobs task" in shown
    assert "LOGS error tokens that could not be verified are refused ×1 worker.log:2" in shown
    assert "one of 6 causes: doctor check --select AUT012,AUT005" in shown
    document = json.loads(
        run("check", "--tag", "static", "--logs", "worker.log", "--format", "json", cwd=project).stdout
    )
    task, token = document["diagnosis"]["witnesses"]
    assert task["explained_by"] == document["diagnosis"]["roots"][0]["findings"]
    assert token["explained_by"] == []
    assert document["diagnosis"]["roots"][0]["confidence"] == "high"
