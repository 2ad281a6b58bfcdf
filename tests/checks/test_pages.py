"""Every check's page can be read: short, in its sections, without leftovers, and with names that exist."""

from __future__ import annotations

import re

import pytest

from doctor.check import PAGE_SECTIONS, Check
from tests.example_runs import BUILT_INS

BUILT_IN = list(BUILT_INS.checks.values())
KNOWN_CODES = {*BUILT_INS.checks, "DOC001"}


@pytest.fixture(params=BUILT_IN, ids=lambda each: each.code)
def each(request: pytest.FixtureRequest) -> Check:
    return request.param


def sections(page: str) -> dict[str, str]:
    parts = re.split(r"^## (.+)$", page, flags=re.MULTILINE)
    return dict(zip(parts[1::2], (part.strip() for part in parts[2::2]), strict=True))


def test_a_page_has_its_five_sections_and_no_other(each: Check):
    assert tuple(sections(each.page)) == PAGE_SECTIONS


def test_no_section_of_a_page_is_empty(each: Check):
    for heading, text in sections(each.page).items():
        assert len(text.split()) >= 4, heading
        assert text[-1] in ".:;)`" or text.splitlines()[-1].startswith("    "), heading


def test_a_page_fits_on_two_screens(each: Check):
    lines = each.page.splitlines()
    assert len(lines) <= 60
    assert max(map(len, lines)) <= 120


def test_a_summary_is_one_sentence_that_states_the_problem(each: Check):
    assert 20 <= len(each.summary) <= 110
    assert each.summary[0].isupper() or each.summary[0] == "`"
    assert ". " not in each.summary
    assert each.page.splitlines()[0].endswith(".")


def test_a_page_names_only_codes_that_exist(each: Check):
    named = set(re.findall(r"\b(?:TSK|AGT|MOD|EMB|VEC|PGS|NAT|WRK|AUT|INI|ENV|CHN|LOG|DOC)\d{3}\b", each.page))
    assert named <= KNOWN_CODES


def test_a_page_names_only_commands_that_exist(each: Check):
    from doctor.cli import COMMANDS

    assert set(re.findall(r"`doctor ([a-z]+)", each.page)) <= set(COMMANDS)


def test_a_page_holds_nothing_unfinished(each: Check):
    assert not re.search(r"\b(?:TODO|FIXME|XXX|TBD|lorem)\b|(?:^|[\s(])/(?:work|tmp|home|root)/", each.page)
