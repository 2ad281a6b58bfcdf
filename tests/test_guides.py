"""The guides: each command that they show is one that there is, with options that it has; each link leads somewhere."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest
import yaml

from doctor.cli import COMMANDS, doctor
from doctor.configuration import load_configuration
from doctor.verdict import ExitCode

DOCS = Path(__file__).parents[1] / "docs"
GUIDES = ("quick_start", "gate", "exit_codes", "security", "configuration", "troubleshooting", "monitoring")
TEXTS = {name: (DOCS / f"{name}.md").read_text(encoding="utf-8") for name in GUIDES}
COMMAND = re.compile(r"^(?:    - )?(doctor [a-z].*?)(?:\s+#.*)?$", re.MULTILINE)
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)

SHOWN = sorted(
    {
        command
        for text in TEXTS.values()
        for language, block in BLOCK.findall(text)
        if language in ("sh", "yaml")
        for command in COMMAND.findall(block)
    }
)


def parse(words: list[str]) -> None:
    """Parse a command line to its end, and run nothing."""
    command: click.Command = doctor
    while words and isinstance(command, click.Group):
        found = command.get_command(click.Context(command), words[0])
        assert found is not None, words
        command, words = found, words[1:]
    command.make_context(command.name, words)


@pytest.mark.parametrize("command", SHOWN)
def test_a_command_that_is_shown_can_be_called(command: str):
    parse(shlex.split(command)[1:])


def test_the_guides_show_commands():
    assert len(SHOWN) > 20
    assert {shlex.split(command)[1] for command in SHOWN} <= set(COMMANDS)


@pytest.mark.parametrize("name", GUIDES)
def test_every_link_of_a_guide_leads_somewhere(name: str):
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", TEXTS[name]):
        assert (DOCS / target).exists(), target


def test_the_exit_codes_are_those_that_there_are():
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", TEXTS["exit_codes"], re.MULTILINE)} == set(
        map(int, ExitCode)
    )


def test_what_is_shown_of_files_is_valid(tmp_path: Path):
    blocks = [found for text in TEXTS.values() for found in BLOCK.findall(text)]
    for language, block in blocks:
        if language == "yaml":
            assert yaml.safe_load(block)
        if language == "toml":
            assert tomllib.loads(block)
            (tmp_path / "doctor.toml").write_text(block, encoding="utf-8")
            load_configuration(tmp_path)
