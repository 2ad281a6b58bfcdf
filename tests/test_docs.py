"""What the documents say is what the program does."""

import re
import sys
import types
from pathlib import Path

import pytest

from doctor.cli import COMMANDS
from doctor.configuration import load_configuration
from doctor.verdict import ExitCode
from tests import documents
from tests.checks import test_examples, test_pages

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", documents.DOCUMENTS)
def test_a_document_that_the_program_writes_is_up_to_date(name):
    assert (ROOT / name).read_text(encoding="utf-8") == documents.DOCUMENTS[name](), "run: make docs"


def test_the_readme_has_a_picture_and_a_list_of_the_checks():
    assert len(documents.PICTURE.findall(README)) == 1
    assert len(documents.CHECKS.findall(README)) == 1


def test_the_readme_names_every_command():
    documented = re.findall(r"^\| `doctor (\w+)` \|", README, re.MULTILINE)
    assert documented == list(COMMANDS)


def test_the_readme_names_every_exit_code():
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)}
    assert documented == {int(code) for code in ExitCode}


def test_every_file_that_the_documents_link_to_exists():
    for document in (README, CONTRIBUTING):
        for target in re.findall(r"\]\(([^)#]+)\)", document):
            assert (ROOT / target).exists(), target


def test_every_flag_that_the_readme_shows_exists():
    shown = set(re.findall(r"(?<![\w-])(--[a-z][a-z-]+)", README))
    known = set(re.findall(r"(--[a-z][a-z-]+)", "".join(documents.output(command, "--help") for command in COMMANDS)))
    assert shown <= known


def test_every_command_explains_itself_in_its_help():
    for command, summary in COMMANDS.items():
        shown = documents.output(command, "--help")
        assert len(shown.splitlines()) > 4, command
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
