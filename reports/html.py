"""The root-cause report as one HTML file that needs nothing else: no network, no script, light and dark, printable.

All text is escaped by the template, and the page's own policy forbids scripts and every connection.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from doctor.api import Presentation, Report, Run, printable

if TYPE_CHECKING:
    from markupsafe import Markup

    from doctor.reports.rca.document import Document

TEMPLATES = Path(__file__).parent / "templates"

_LINES = {"+": "added", "-": "removed", "@": "place"}
"""What the first character of a line of a diff says."""


def render(run: Run, presentation: Presentation) -> str:
    """Return the page, ending in a newline."""
    from doctor.reports.rca.report import report_of  # only who wants a report pays for it

    return page(report_of(run))


def render_difference(before: Run, after: Run, presentation: Presentation) -> str:
    """Return what changed from one run to another, ending in a newline."""
    from doctor.reports.rca.difference import difference_of

    return page(difference_of(before, after))


def page(document: Document) -> str:
    """Return a document as a page."""
    style = _style()
    return str(_template().render(document=document, style=style, style_hash=hash_of(style)))


@cache
def _style() -> str:
    return (TEMPLATES / "rca.css").read_text(encoding="utf-8")


def hash_of(text: str) -> str:
    """Return the name by which the page's policy allows this style and no other."""
    return f"sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


@cache
def _template() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(text=_text, lines=_lines, plain=_plain)
    return environment.get_template("rca.html.j2")


def _text(text: object) -> Markup:
    """Return text as HTML, what stands between two backticks as code."""
    from markupsafe import Markup

    from doctor.reports.rca.document import spans

    shown = spans(printable(str(text)))
    return Markup("").join(Markup("<code>{}</code>").format(part) if is_code else part for is_code, part in shown)


def _plain(text: str) -> str:
    """Return text without code, for titles."""
    from doctor.reports.rca.document import prose

    return prose(printable(text))


def _lines(text: str, language: str) -> list[tuple[str, str]]:
    """Return the lines of a code block, each with what it is in a diff."""
    lines = printable(text).rstrip().split("\n")
    return [(_LINES.get(line[:1], "") if language == "diff" else "", line) for line in lines]


REPORT = Report(
    name="html",
    title="the root-cause report as one page without network",
    machine=False,
    render=render,
    render_difference=render_difference,
)
