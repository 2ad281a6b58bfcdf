"""What the documents say is what the program does."""

import re
import sys
import types
from pathlib import Path

from click.testing import CliRunner

from doctor.cli import COMMANDS, doctor
from doctor.configuration import load_configuration
from doctor.verdict import ExitCode
from tests.checks import test_examples, test_pages

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


async def test_the_check_of_the_contributing_guide_passes_the_tests_of_every_check(tmp_path):
    code = re.search(r"```python\n(.*?)```", CONTRIBUTING, re.DOTALL)
    assert code is not None
    module = types.ModuleType("contributed_check")
    sys.modules[module.__name__] = module
    try:
        exec(compile(code[1], "contributed_check.py", "exec"), module.__dict__)  # the guide's own text
    finally:
        del sys.modules[module.__name__]
    check = module.task_is_synchronous
    test_examples.test_a_check_over_source_shows_what_it_finds_and_what_it_does_not(check)
    await test_examples.test_a_bad_example_is_found(check, check.bad[0], tmp_path / "bad")
    await test_examples.test_a_good_example_is_silent(check, check.good[0], tmp_path / "good")
    test_pages.test_a_page_has_its_five_sections_and_no_other(check)
    test_pages.test_no_section_of_a_page_is_empty(check)
    test_pages.test_a_summary_is_one_sentence_that_states_the_problem(check)


def test_the_configuration_of_the_example_is_valid():
    loaded = load_configuration(ROOT / "pipeline", ROOT / "pipeline" / "doctor.toml")
    assert loaded.configuration.chain is not None


def test_no_tracked_text_names_an_address_to_download_from():
    for name in ("constraints.txt", "pyproject.toml", "Makefile"):
        assert "://" not in (ROOT / name).read_text(encoding="utf-8")
