"""The documents that the program writes itself; the tests compare them, `make docs` writes them anew."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from click.testing import CliRunner

from doctor.cli import doctor
from doctor.commands.examination import mechanisms
from doctor.diagnosis import diagnose
from doctor.record import loads
from doctor.report import Presentation
from doctor.reports import html, markdown, text
from doctor.target import Target
from doctor.tracker.issue import Tracker
from doctor.tracker.markdown import render as tracker_page
from doctor.tracker.update import updated
from tests import symptom_page

ROOT = Path(__file__).parent.parent
PLAIN = Presentation(color=False, width=120, verbose=False, quiet=False)
EXAMPLE = ROOT / "docs" / "example" / "run.json"
"""The record of a real `doctor demo`; only the name and the folder of its sandbox were replaced."""

SEARCH = ROOT / "docs" / "example" / "search.json"
"""The record of a real `doctor check` on a sandbox whose vectors were tampered with; only its folder was replaced."""

PICTURE = re.compile(r"(?<=```text\n)doctor \d.*?(?=```)", re.DOTALL)
CHECKS = re.compile(r"(?<=<!-- doctor list -->\n```text\n).*?(?=```\n<!-- end -->)", re.DOTALL)


def output(*words: str) -> str:
    """Return what a command of doctor prints."""
    return CliRunner().invoke(doctor, list(words), standalone_mode=False, catch_exceptions=False).output


CHECK = re.compile(r"(?<=<!-- check -->\n```text\n).*?(?=```\n<!-- end -->)", re.DOTALL)


def picture(record: Path = EXAMPLE) -> str:
    """Return a record as `doctor check` showed it, before anything was repaired."""
    run = replace(loads(record.read_bytes()), after=None, repairs=(), verification=None)
    chain = Target.at(ROOT / "pipeline").chain_or_none()
    return text.render(replace(run, diagnosis=diagnose(run.before, mechanisms(), chain)), PLAIN)


def readme() -> str:
    """Return the README with its picture and its list of checks as they are now."""
    written = (ROOT / "README.md").read_text(encoding="utf-8")
    with_picture = PICTURE.sub(lambda _: picture(), written, count=1)
    return CHECKS.sub(lambda _: output("list"), with_picture, count=1)


def guide() -> str:
    """Return the guide to search with its example as it is shown now."""
    written = (ROOT / "docs" / "search.md").read_text(encoding="utf-8")
    return CHECK.sub(lambda _: picture(SEARCH), written, count=1)


DOCUMENTS: dict[str, Callable[[], str]] = {
    "README.md": readme,
    "docs/search.md": guide,
    "docs/symptoms.md": symptom_page.page,
    "docs/checks.md": lambda: output("explain", "ALL"),
    "docs/example/RCA_TRACKER.md": lambda: tracker_page(updated(Tracker(), loads(EXAMPLE.read_bytes()))),
    "docs/example/RCA.md": lambda: markdown.render(loads(EXAMPLE.read_bytes()), PLAIN),
    "docs/example/RCA.html": lambda: html.render(loads(EXAMPLE.read_bytes()), PLAIN),
}


if __name__ == "__main__":
    for name, make in DOCUMENTS.items():
        (ROOT / name).write_text(make(), encoding="utf-8")
