"""Every symptom of the table has its tests, and every test that names one is in the table."""

from __future__ import annotations

from doctor.commands.output import registry
from tests.symptom_page import marked
from tests.symptoms import ALL, CAUSES

SYMPTOMS = 29


def number(key: str) -> int:
    """Return the symptom's number without the letter of the cause."""
    return int(key.rstrip("abcdef"))


def test_the_table_has_all_symptoms_in_their_order():
    numbers = [number(cause.number) for cause in ALL]
    assert numbers == sorted(numbers)
    assert sorted(set(numbers)) == list(range(1, SYMPTOMS + 1))
    assert len(CAUSES) == len(ALL)


def test_every_cause_is_produced_by_a_test_that_holds_its_run_against_the_table():
    produced = {each.number for each in marked() if each.kind == "symptom" and each.holds}
    assert produced == set(CAUSES)


def test_every_symptom_has_a_variation_with_another_verdict():
    varied = {number(each.number) for each in marked() if each.kind == "variation" and each.holds}
    assert varied == set(range(1, SYMPTOMS + 1))


def test_the_checks_that_tell_are_checks():
    told_by = {cause.check for cause in ALL} | {each.verdict for each in marked() if each.verdict}
    assert told_by <= set(registry().checks)
