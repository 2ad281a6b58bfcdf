"""The files by which other programs run doctor, tried as these programs run them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from doctor.cli import doctor
from doctor.report import Presentation
from doctor.reports import prometheus
from tests import forked_doctor
from tests.command_line import environment
from tests.example_runs import BUILT_INS, run_of, three_in_series
from tests.reports.sarif_shape import Log

ROOT = Path(__file__).parents[1]
BROKEN = "from celery import shared_task\nfrom functools import lru_cache\n\n@lru_cache\n@shared_task\ndef job(): ...\n"
CALLER = "from jobs import job\n\ndef later():\n    job.delay()\n"

ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
EXPRESSION = re.compile(r"\$\{\{\s*(?P<name>[\w.-]+)\s*\}\}")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "a project"
    root.mkdir()
    (root / "jobs.py").write_text(BROKEN)
    (root / "caller.py").write_text(CALLER)
    return root


class Runner:
    """What GitHub's runner does with the steps of a composite action that a shell runs."""

    def __init__(self, folder: Path, **inputs: str) -> None:
        given = {name: each.get("default", "") for name, each in ACTION["inputs"].items()} | inputs
        self.values = {f"inputs.{name}": value for name, value in given.items()}
        self.values["github.action_path"] = str(ROOT)
        self.folder = folder
        self.files = {name: folder.parent / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        for file in self.files.values():
            file.touch()

    def step(self, name: str, **extra: str) -> subprocess.CompletedProcess[str]:
        """Run one step and take over what it puts out."""
        step = next(one for one in ACTION["runs"]["steps"] if one["name"] == name)
        variables = {key: self._expanded(value) for key, value in step.get("env", {}).items()}
        path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
        files = {key: str(file) for key, file in self.files.items()}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", self._expanded(step["run"])],
            cwd=self.folder,
            env=environment(**variables, **files, **extra, PATH=path, PYTHONWARNINGS="default"),
            capture_output=True,
            text=True,
            check=False,
        )
        for line in self.files["GITHUB_OUTPUT"].read_text().splitlines():
            key, _, value = line.partition("=")
            self.values[f"steps.{step.get('id')}.outputs.{key}"] = value
        return done

    def _expanded(self, text: str) -> str:
        return EXPRESSION.sub(lambda match: self.values[match["name"]], text)


def test_the_action_annotates_sums_up_writes_sarif_and_ends_as_doctor_does(project: Path):
    runner = Runner(project)
    checked = runner.step("Check")
    assert (checked.returncode, checked.stderr) == (0, ""), "what was found is the verdict's to say"
    assert checked.stdout.startswith("::error file=jobs.py,line=4,")
    assert "### doctor: unhealthy" in runner.files["GITHUB_STEP_SUMMARY"].read_text()
    log = Log.model_validate_json((project / "doctor.sarif").read_text())
    (result,) = log.runs[0].results
    assert result.ruleId == "TSK001"
    assert [fix.artifactChanges[0].artifactLocation.uri for fix in result.fixes or ()] == ["jobs.py"]
    assert runner.step("Verdict").returncode == 1


def test_the_action_ends_with_the_code_of_a_usage_error(project: Path):
    runner = Runner(project, arguments="--fail-on loud")
    assert runner.step("Check").returncode == 0
    assert runner.step("Verdict").returncode == 2
    assert not (project / "doctor.sarif").exists(), "which the step that uploads asks for"


def test_the_action_installs_what_stands_here(project: Path):
    offline = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_DRY_RUN": "1"}
    done = Runner(project).step("Install doctor", **offline)
    assert done.returncode == 0, done.stderr


def test_what_a_person_gives_the_action_never_becomes_part_of_a_script():
    scripts = [step["run"] for step in ACTION["runs"]["steps"] if "run" in step]
    assert len(scripts) == 3
    assert not any(EXPRESSION.search(script) for script in scripts)


# pre-commit


def git(folder: Path, *words: str) -> None:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def hooks(tmp_path: Path) -> Path:
    """A repository with the hook, whose package leads to the doctor that is installed here: building the real one is
    tested with the wheel."""
    folder = tmp_path / "hooks"
    folder.mkdir()
    shutil.copy(ROOT / ".pre-commit-hooks.yaml", folder)
    (folder / "here.pth").write_text(f"{Path(yaml.__file__).parents[1]}\n{ROOT}\n")
    (folder / "setup.py").write_text(
        "import sys\n"
        "from setuptools import setup\n"
        "site = 'lib/python{}.{}/site-packages'.format(*sys.version_info)\n"
        "setup(name='hook', version='1', py_modules=[], data_files=[(site, ['here.pth'])], "
        "entry_points={'console_scripts': ['doctor = doctor.main:run_command']})\n"
    )
    for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "hook")):
        git(folder, *words)
    return folder


def test_pre_commit_runs_the_hook_on_the_files_of_a_commit(project: Path, hooks: Path, tmp_path: Path):
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=hooks, check=True, capture_output=True, text=True)
    (project / ".pre-commit-config.yaml").write_text(
        f"repos:\n- repo: {hooks}\n  rev: {head.stdout.strip()}\n  hooks: [{{id: doctor}}]\n"
    )
    git(project, "init", "-q")
    git(project, "add", ".")
    packages = Path(yaml.__file__).parents[1]
    offline = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0"}
    given = environment(packages, **offline, PRE_COMMIT_HOME=str(tmp_path / "home"))
    given.pop("PYTHONWARNINGS")

    words = [sys.executable, "-m", "pre_commit", "run", "doctor", "--color", "never", "--files", "jobs.py", "caller.py"]
    found = subprocess.run(words, cwd=project, env=given, capture_output=True, text=True, check=False)
    assert found.returncode == 1, found.stdout + found.stderr
    assert "jobs.py:4: error TSK001 task-decorator-order:" in found.stdout


# Containers and monitoring


def test_the_dockerfile_copies_a_doctor_that_is_built_and_runs_a_command_that_there_is():
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert json.loads(re.findall(r"^ENTRYPOINT (.+)$", text, re.MULTILINE)[0]) == ["doctor"]
    (command,) = json.loads(re.findall(r"^CMD (.+)$", text, re.MULTILINE)[0])
    assert command in doctor.commands or command in doctor.list_commands(None)  # type: ignore[arg-type]
    assert "\nUSER doctor\n" in text
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert {".git", ".venv", ".doctor"} <= set(ignored)
    assert not {"doctor", "checks", "fixes", "reports", "pipeline"} & set(ignored)


def test_the_health_check_of_a_container_is_a_probe_that_answers(tmp_path: Path):
    text = (ROOT / "docs/monitoring.md").read_text(encoding="utf-8")
    (words,) = re.findall(r"^HEALTHCHECK .*CMD (\[.*\])$", text, re.MULTILINE)
    program, *arguments = json.loads(words)
    done = forked_doctor.run(*arguments, cwd=tmp_path)
    assert (program, done.returncode, done.stderr) == ("doctor", 3, "")
    assert done.stdout.startswith("not configured worker:")


def exported() -> set[str]:
    """Return the names of metrics that there are: those of every run, and those in the source of the checks."""
    text = prometheus.REPORT.render(run_of(three_in_series()), Presentation())
    measured = set()
    for check in BUILT_INS.checks.values():
        source = Path(sys.modules[check.detect.__module__].__file__ or "").read_text(encoding="utf-8")
        measured |= set(re.findall(r'Metric\(\s*"(\w+)"', source))
    return set(re.findall(r"^# TYPE (\w+)", text, re.MULTILINE)) | {f"doctor_{name}" for name in measured}


def test_alerts_and_dashboard_ask_for_metrics_that_there_are():
    rules = yaml.safe_load((ROOT / "docs/monitoring/alerts.yml").read_text(encoding="utf-8"))
    expressions = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    dashboard = json.loads((ROOT / "docs/monitoring/dashboard.json").read_text(encoding="utf-8"))
    expressions += [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked = {name for expression in expressions for name in re.findall(r"doctor_\w+", expression)}
    assert asked <= exported()
    assert {"doctor_embedding_coverage_ratio", "doctor_dead_letters", "doctor_stalled_rows"} <= asked
    assert all(expression.count("(") == expression.count(")") for expression in expressions)


def test_codes_in_alerts_are_those_of_checks():
    text = (ROOT / "docs/monitoring/alerts.yml").read_text(encoding="utf-8")
    assert set(re.findall(r'code="(\w+)"', text)) <= set(BUILT_INS.checks)
