"""The report as a reader opens it. Run by `make test-browser`; `make test` needs no browser and leaves it alone.

The pictures in ``build/browser`` are for people to look at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from doctor.model import Run
from doctor.record import loads
from doctor.report import Presentation
from doctor.reports import html
from tests.browser.chromium import Chromium, chromium, installed
from tests.documents import EXAMPLE
from tests.reports.hostile import HOSTILE, hostile_story

PICTURES = Path(__file__).parents[2] / "build" / "browser"
PHONE = 360
"""Columns of pixels of a small phone."""

HEIGHT = 5000
"""Rows of pixels that a picture shows."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    program = installed()
    assert program is not None, "no Chromium here: make test-browser"
    with chromium(program) as running:
        yield running


def opened(browser: Chromium, run: Run, folder: Path) -> Chromium:
    """Open the report of a run from a file."""
    page = folder / "report.html"
    page.write_text(html.render(run, Presentation()), encoding="utf-8")
    browser.open(page.as_uri())
    return browser


def example() -> Run:
    return loads(EXAMPLE.read_bytes())


def complaints(page: Chromium) -> list[Any]:
    """Return what the console would show."""
    told = [entry["entry"] for entry in page.told("Log.entryAdded")]
    return [*told, *page.told("Runtime.consoleAPICalled"), *page.told("Runtime.exceptionThrown")]


def widest(page: Chromium) -> int:
    return int(page.evaluate("Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)"))


def test_the_page_asks_nothing_of_the_network_and_says_nothing_to_the_console(browser: Chromium, tmp_path: Path):
    page = opened(browser, example(), tmp_path)
    asked = [each["request"]["url"] for each in page.told("Network.requestWillBeSent")]
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert complaints(page) == []


@pytest.mark.parametrize("width", [320, PHONE, 414, 768, 1200])
def test_nothing_has_to_be_scrolled_sideways(browser: Chromium, tmp_path: Path, width: int):
    page = opened(browser, example(), tmp_path)
    page.look(width)
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert widest(page) <= width


def test_a_long_word_without_a_break_fits_a_phone_too(browser: Chromium, tmp_path: Path):
    run = example()
    long = replace(run, target=replace(run.target, name="x" * 400))
    page = opened(browser, long, tmp_path)
    page.look(PHONE)
    assert widest(page) <= PHONE


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_told_from_its_ground(browser: Chromium, tmp_path: Path, scheme: str):
    """By the contrast that WCAG 2.2 asks of text: 4.5 to 1."""
    page = opened(browser, example(), tmp_path)
    page.look(1200, scheme=scheme)
    assert page.evaluate(CONTRAST) == []


CONTRAST = """
(() => {
  const numbers = color => color.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = element => {
    for (let at = element; at; at = at.parentElement) {
      const color = numbers(getComputedStyle(at).backgroundColor);
      if (color.length === 3 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const poor = new Set();
  for (const element of document.querySelectorAll('body *')) {
    if (![...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim())) continue;
    const [one, other] = [numbers(getComputedStyle(element).color), ground(element)].map(light);
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (ratio < 4.5) poor.add(`${element.tagName}.${element.className}: ${ratio.toFixed(2)}`);
  }
  return [...poor];
})()
"""

OPEN = "[...document.querySelectorAll('details > :not(summary)')].map(one => one.checkVisibility())"


def test_evidence_is_folded_on_the_screen_and_open_on_paper(browser: Chromium, tmp_path: Path):
    page = opened(browser, example(), tmp_path)
    page.look(1200)
    assert not any(page.evaluate(OPEN))
    page.look(794, medium="print")
    on_paper = page.evaluate(OPEN)
    assert len(on_paper) > 5
    assert on_paper.count(False) == 1  # the list of links, which leads nowhere on paper


def test_no_text_from_outside_runs(browser: Chromium, tmp_path: Path):
    page = opened(browser, hostile_story(" ".join(HOSTILE)), tmp_path)
    assert complaints(page) == []
    assert page.evaluate("document.querySelectorAll('script, img, iframe, object, form, base').length") == 0


def test_it_is_pictured_for_people(browser: Chromium, tmp_path: Path):
    PICTURES.mkdir(parents=True, exist_ok=True)
    page = opened(browser, example(), tmp_path)
    for name, width, scheme, medium in (
        ("light", 1200, "light", "screen"),
        ("dark", 1200, "dark", "screen"),
        ("phone", PHONE, "light", "screen"),
        ("phone-dark", PHONE, "dark", "screen"),
        ("print", 794, "light", "print"),
    ):
        page.look(width, HEIGHT, scheme=scheme, medium=medium)
        page.picture(PICTURES / f"{name}.png")
        assert (PICTURES / f"{name}.png").stat().st_size > 10_000
    page.paper(PICTURES / "print.pdf")
    assert (PICTURES / "print.pdf").read_bytes().startswith(b"%PDF")
