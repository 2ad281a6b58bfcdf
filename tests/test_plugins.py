"""Third parties add checks, fixes and formats; one that breaks loses only itself, and says so."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from doctor.plugins import BUILT_IN, load_registry
from tests import forked_doctor
from tests.command_line import PAGE, environment, install, run

CONTRIBUTING = Path(__file__).parents[1] / "CONTRIBUTING.md"
EXAMPLE = CONTRIBUTING.parent / "docs" / "example_plugin"

GOOD = """
from collections.abc import Iterator

from doctor.api import Evidence, EvidenceKind, Finding, Report, Resource, Severity, Source, check, hookimpl


@check("ZZZ001", "file-named-zebra", severity=Severity.ERROR, tags=["static"])
def file_named_zebra(source: Source) -> Iterator[Finding]:
    for path in source.files:
        if "zebra" in path:
            yield Finding(
                code="ZZZ001",
                resource=Resource("module", path, path),
                symptom=f"there is a zebra: {path}",
                cause="somebody likes stripes",
                severity=Severity.ERROR,
                evidence=(Evidence(EvidenceKind.CODE, path, "striped"),),
            )


@hookimpl
def doctor_checks():
    return [file_named_zebra]


@hookimpl
def doctor_reports():
    return [Report("count", "how many findings", True, lambda run, presentation: f"{len(run.findings)}\\n")]
"""


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    return tmp_path / "plugins"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "target"
    folder.mkdir()
    (folder / "zebra.py").write_text("STRIPES = 80\n")
    return folder


def check_json(target: Path, plugins: Path, *arguments: str) -> tuple[int, dict]:
    done = run("check", "--format", "json", *arguments, cwd=target, plugins=plugins)
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)


def test_the_built_ins_load_without_a_problem():
    registry = load_registry(entry_points=False)
    assert registry.problems == ()
    assert set(registry.origins.values()) == set(BUILT_IN)
    assert {"text", "json", "markdown"} <= set(registry.reports)
    assert "TSK001" in registry.checks
    assert "swap-decorators" in registry.fixes


def test_a_plugins_check_and_format_work_like_the_built_in_ones(target: Path, plugins: Path):
    install(plugins, "zebra", GOOD)
    code, document = check_json(target, plugins, "--select", "ZZZ")
    assert code == 1
    assert document["checks"]["ZZZ001"]["status"] == "fail"
    assert document["findings"][0]["symptom"] == "there is a zebra: zebra.py"
    assert len(document["diagnosis"]["roots"]) == 1
    assert run("check", "--select", "ZZZ001", "--format", "count", cwd=target, plugins=plugins).stdout == "1\n"
    assert "zebra" in run("list", "plugins", cwd=target, plugins=plugins).stdout.split()
    assert "file-named-zebra" in run("explain", "zzz001", cwd=target, plugins=plugins).stdout


def test_the_check_of_the_contributing_guide_works_as_it_stands_there(target: Path, plugins: Path):
    page = CONTRIBUTING.read_text(encoding="utf-8")
    (source,) = re.findall(r"^```python\n(.+?)^```", page, re.MULTILINE | re.DOTALL)
    hook = "\n\nfrom doctor.api import hookimpl\n@hookimpl\ndef doctor_checks():\n    return [task_is_synchronous]\n"
    install(plugins, "synchronous", "")
    (plugins / "synchronous.py").write_text(source + hook, encoding="utf-8")
    (target / "tasks.py").write_text(
        textwrap.dedent("""\
            from taskiq_nats import PullBasedJetStreamBroker

            broker = PullBasedJetStreamBroker()


            @broker.task
            def look_back():
                return 1
            """)
    )
    code, document = check_json(target, plugins, "--select", "TSK900")
    assert code == 0  # a warning
    (finding,) = document["findings"]
    assert finding["symptom"] == "`look_back` is no coroutine, so a thread runs it"
    assert finding["resource"]["line"] == 7


BROKEN = {
    "raises when it is imported": "raise RuntimeError('no')",
    "is no Python": "def",
    "exits when it is imported": "import sys\nsys.exit(0)",
    "raises in its hook": "from doctor.api import hookimpl\n@hookimpl\ndef doctor_checks(): raise ValueError('no')",
    "returns no checks": "from doctor.api import hookimpl\n@hookimpl\ndef doctor_checks():\n    return ['x']",
    "returns no list": "from doctor.api import hookimpl\n@hookimpl\ndef doctor_checks():\n    return 5",
    "misspells its hook": "from doctor.api import hookimpl\n@hookimpl\ndef doctor_chekcs():\n    return []",
    "asks for what no hook gives": "from doctor.api import hookimpl\n@hookimpl\ndef doctor_checks(x):\n    return []",
    "has a check that breaks the contract": (
        "from doctor.api import check, Severity\n"
        "@check('ZZZ001', 'x', severity=Severity.INFO, tags=['static'])\ndef detect(source):\n    return []\n"
    ),
}


@pytest.mark.parametrize("source", BROKEN.values(), ids=BROKEN)
def test_a_broken_plugin_loses_only_itself_and_leaves_the_run_incomplete(target: Path, plugins: Path, source: str):
    install(plugins, "broken", source)
    install(plugins, "zebra", GOOD.replace("zebra", "horse"))
    code, document = check_json(target, plugins, "--select", "DOC010,ZZZ001")
    assert code == 3
    assert document["status"] == "incomplete"
    assert document["checks"]["DOC001"]["status"] == "unknown"
    assert "plugin broken" in document["checks"]["DOC001"]["reason"]
    assert document["checks"]["DOC010"]["status"] == "pass"
    assert document["checks"]["ZZZ001"]["status"] == "pass"


def test_a_broken_plugin_is_named_once_in_the_list(target: Path, plugins: Path):
    install(plugins, "broken", BROKEN["raises when it is imported"])
    lines = run("list", "plugins", cwd=target, plugins=plugins).stdout.splitlines()
    assert lines[:-1] == sorted(BUILT_IN)
    assert lines[-1].split() == ["problem", "plugin", "broken:", "RuntimeError:", "no"]


def test_a_broken_plugin_is_shown_to_people_too(target: Path, plugins: Path):
    install(plugins, "broken", BROKEN["raises in its hook"])
    done = run("check", "--select", "DOC010", cwd=target, plugins=plugins)
    assert done.returncode == 3
    assert "COULD NOT TELL" in done.stdout
    assert "plugin broken: ValueError: no" in " ".join(done.stdout.split())


def test_what_a_broken_plugin_says_is_redacted(target: Path, plugins: Path):
    install(plugins, "broken", "raise RuntimeError('postgresql://app:hunter2@db/app')")
    assert "hunter2" not in run("check", cwd=target, plugins=plugins).stdout
    assert "hunter2" not in run("list", "plugins", cwd=target, plugins=plugins).stdout


def test_a_plugin_cannot_replace_a_built_in_check(target: Path, plugins: Path):
    install(plugins, "thief", GOOD.replace("ZZZ001", "DOC010"))
    code, document = check_json(target, plugins, "--select", "DOC010")
    assert code == 3
    assert document["checks"]["DOC010"]["name"] == "unparsable-file"
    assert document["findings"] == []
    assert document["checks"]["DOC001"]["reason"] == "plugin thief: DOC010 is already taken by doctor.checks"


CRASHES = """
from doctor.api import Finding, Severity, check, hookimpl


@check("ZZZ001", "always-crashes", severity=Severity.ERROR, tags=["static"])
def always_crashes():
    {body}
    yield


@hookimpl
def doctor_checks():
    return [always_crashes]
"""


@pytest.mark.parametrize("body", ["raise ValueError('no')", "import sys; sys.exit(0)"])
def test_a_plugins_check_that_crashes_is_unknown_and_the_document_is_whole(target: Path, plugins: Path, body: str):
    install(plugins, "crashes", CRASHES.format(body=body))
    code, document = check_json(target, plugins, "--select", "ZZZ001,DOC010")
    assert code == 3
    assert document["exit_code"] == 3
    assert document["checks"]["ZZZ001"]["status"] == "unknown"
    assert document["checks"]["DOC010"]["status"] == "pass"


def test_a_plugins_fix_repairs_what_its_check_finds(target: Path, plugins: Path):
    fix = """
from doctor.api import Applicability, Fix, FixOption, NothingToDoError, Phase, Plan, check, hookimpl
from doctor.api import Evidence, EvidenceKind, Finding, Resource, Severity


@check("ZZZ001", "stripes-are-odd", severity=Severity.ERROR, tags=["static"])
def stripes_are_odd(source):
    if "81" in (source.root / "zebra.py").read_text():
        yield Finding(
            code="ZZZ001", resource=Resource("module", "zebra", "zebra.py"), symptom="81", cause="odd",
            severity=Severity.ERROR, rule="stripes come in pairs",
            evidence=(Evidence(EvidenceKind.CODE, "zebra.py", "81"),),
            fixes=(FixOption("even-stripes", "make them even", Applicability.SAFE, "one number"),),
        )


async def plan(context):
    return Plan("81 becomes 80", "-81\\n+80", ("zebra.py",))


async def apply(context, plan, writers):
    path = context.resources["source"].root / "zebra.py"
    before = path.read_bytes()
    writers.source.replace(path, before, before.replace(b"81", b"80"))
    return "80 now"


@hookimpl
def doctor_checks():
    return [stripes_are_odd]


@hookimpl
def doctor_fixes():
    return [Fix("even-stripes", "even stripes", Phase.SOURCE, ("source",), True, plan, apply)]
"""
    install(plugins, "zebra", fix)
    (target / "zebra.py").write_text("STRIPES = 81\n")
    (target / "doctor.toml").write_text('select = ["ZZZ001"]\n')
    shown = run("fix", "--diff", cwd=target, plugins=plugins)
    assert shown.returncode == 1
    assert "+80" in shown.stdout
    assert (target / "zebra.py").read_text() == "STRIPES = 81\n"
    done = run("fix", "--yes", cwd=target, plugins=plugins)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (target / "zebra.py").read_text() == "STRIPES = 80\n"
    undone = run("undo", cwd=target, plugins=plugins)
    assert undone.returncode == 0
    assert (target / "zebra.py").read_text() == "STRIPES = 81\n"


def test_a_plugin_sees_the_facade_without_warnings(target: Path, plugins: Path):
    install(plugins, "zebra", GOOD)
    program = [sys.executable, "-c", "import doctor.api as api; assert all(hasattr(api, name) for name in api.__all__)"]
    subprocess.run(program, env=environment(plugins), check=True, cwd=target)


# A plugin that is one file, named in doctor.toml.


def test_a_file_that_the_configuration_names_is_a_plugin(target: Path):
    (target / "ops").mkdir()
    (target / "ops" / "house_rules.py").write_text(PAGE + GOOD)
    (target / "doctor.toml").write_text('plugins = ["ops/house_rules.py"]\n')
    done = forked_doctor.run("check", "--select", "ZZZ001", "--format", "json", cwd=target)
    assert (done.returncode, done.stderr) == (1, "")
    assert [one["code"] for one in json.loads(done.stdout)["findings"]] == ["ZZZ001"]


@pytest.mark.parametrize(
    "source, said",
    [
        ("raise SystemExit(0)\n", "SystemExit"),
        ("import nowhere_to_be_found\n", "ModuleNotFoundError"),
        (None, "No such file"),
    ],
)
def test_a_file_that_is_no_plugin_is_one_result_and_no_crash(target: Path, source: str | None, said: str):
    if source is not None:
        (target / "rules.py").write_text(source)
    (target / "doctor.toml").write_text('plugins = ["rules.py"]\n')
    done = forked_doctor.run("check", "--select", "DOC010", "--format", "json", cwd=target)
    document = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (3, "")
    assert said in document["checks"]["DOC001"]["reason"]
    assert document["checks"]["DOC010"]["status"] == "pass"


def test_the_example_in_the_documents_works_when_it_is_installed(target: Path, plugins: Path):
    copy = shutil.copytree(EXAMPLE, target.parent / "example", ignore=shutil.ignore_patterns("build", "*.egg-info"))
    words = ("--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check", "--quiet")
    subprocess.run([sys.executable, "-m", "pip", "install", *words, "--target", plugins, copy], check=True)
    (target / "jobs.py").write_text(
        "from taskiq import InMemoryBroker\n\nbroker = InMemoryBroker()\n\n\n@broker.task\ndef remind() -> None: ...\n"
    )
    found = run("check", "--select", "EXA001", "--format", "count", cwd=target, plugins=plugins)
    assert (found.returncode, found.stdout, found.stderr) == (0, "1\n", "")
    (target / "worker.log").write_text("WARNING worker: thread pool is exhausted\n")
    assert "EXA001" in run("triage", "worker.log", cwd=target, plugins=plugins).stdout
