"""What the documents say is what the program does."""

import re
import sys
import types
from pathlib import Path

from click.testing import CliRunner

from doctor.check import Check
from doctor.cli import COMMANDS, doctor
from doctor.configuration import load_configuration
from doctor.source.index import Source
from doctor.verdict import ExitCode

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def run(*words: str) -> str:
    result = CliRunner().invoke(doctor, list(words), standalone_mode=False, catch_exceptions=False)
    return result.output


def test_the_readme_lists_exactly_the_checks_that_there_are():
    block = re.search(r"<!-- doctor list -->\n```text\n(.*?)```\n<!-- end -->", README, re.DOTALL)
    assert block is not None
    assert block[1] == run("list")


def test_the_pages_of_the_checks_are_those_of_the_code():
    pages = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")
    assert pages == run("explain", "ALL"), "run: doctor explain ALL > docs/checks.md"


def test_the_readme_names_every_command():
    documented = re.findall(r"^\| `doctor (\w+)` \|", README, re.MULTILINE)
    assert documented == list(COMMANDS)


def test_the_readme_names_every_exit_code():
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)}
    assert documented == {int(code) for code in ExitCode}


def test_every_file_that_the_documents_link_to_exists():
    for text in (README, CONTRIBUTING):
        for target in re.findall(r"\]\(([^)#]+)\)", text):
            assert (ROOT / target).exists(), target


def test_every_flag_that_the_readme_shows_exists():
    shown = set(re.findall(r"(?<![\w-])(--[a-z][a-z-]+)", README))
    known = set(re.findall(r"(--[a-z][a-z-]+)", "".join(run(command, "--help") for command in COMMANDS)))
    assert shown <= known


def test_every_command_explains_itself_in_its_help():
    for command, summary in COMMANDS.items():
        text = run(command, "--help")
        assert len(text.splitlines()) > 4, command
        assert summary.endswith(".")


def test_the_check_of_the_contributing_guide_works_as_it_stands(tmp_path):
    code = re.search(r"```python\n(.*?)```", CONTRIBUTING, re.DOTALL)
    assert code is not None
    module = types.ModuleType("contributed_check")
    sys.modules[module.__name__] = module
    try:
        exec(compile(code[1], "contributed_check.py", "exec"), module.__dict__)  # the guide's own text
    finally:
        del sys.modules[module.__name__]
    check = module.task_reads_local_clock
    assert isinstance(check, Check)
    (tmp_path / "tasks.py").write_text(
        "from datetime import datetime\nfrom taskiq import InMemoryBroker\n\nbroker = InMemoryBroker()\n\n\n"
        "@broker.task\nasync def remind():\n    return datetime.now()\n"
    )
    findings = list(check.detect(Source.read(tmp_path)))
    assert [finding.resource.location for finding in findings] == ["tasks.py:9"]


def test_the_configuration_of_the_example_is_valid():
    loaded = load_configuration(ROOT / "pipeline", ROOT / "pipeline" / "doctor.toml")
    assert loaded.configuration.chain is not None


def test_no_tracked_text_names_an_address_to_download_from():
    for name in ("constraints.txt", "pyproject.toml", "Makefile"):
        assert "://" not in (ROOT / name).read_text(encoding="utf-8")
