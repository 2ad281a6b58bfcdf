"""Scores say how often the diagnosis was right, and which targets that does not reach."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from doctor.drill.document import document
from doctor.drill.outcome import Outcome, Shown, Treatment
from doctor.drill.score import Share, scores

EXPECTED = Shown(roots=("TSK001",), edges=(("TSK001", "CHN001"),), beside=("TSK002",))
RIGHT = Outcome("one", "single", EXPECTED, EXPECTED, 0.5, Treatment(repaired=True, verified=True))
CONTROL = Outcome("healthy", "control", Shown(), Shown(), 0.4)
TEXTS = st.lists(st.sampled_from(["TSK001", "CHN001", "MOD001"]), max_size=3).map(tuple)
SHOWN = st.builds(
    Shown, TEXTS, st.lists(st.tuples(st.just("TSK001"), st.just("CHN001")), max_size=2).map(tuple), TEXTS, TEXTS, TEXTS
)


def wrong(**shown: object) -> Outcome:
    return replace(RIGHT, shown=replace(EXPECTED, **shown))


def test_what_is_as_expected_is_right() -> None:
    assert RIGHT.is_right
    assert CONTROL.is_right
    assert [one.missed_targets for one in scores([RIGHT, CONTROL])] == [(), ()]


def test_an_effect_that_does_not_show_is_no_mistake() -> None:
    assert wrong(edges=()).is_right


def test_a_root_that_is_none_is_false_and_one_that_is_not_named_is_missed() -> None:
    assert wrong(roots=("TSK001", "MOD001")).false_roots == ("MOD001",)
    assert not wrong(roots=("TSK001", "MOD001")).is_exact
    assert not wrong(roots=()).is_exact
    assert replace(CONTROL, shown=Shown(roots=("MOD001",))).false_roots == ("MOD001",)


def test_the_first_root_counts_for_itself() -> None:
    assert wrong(roots=("TSK001", "MOD001")).is_top_right
    assert not wrong(roots=("MOD001", "TSK001")).is_top_right
    assert not wrong(roots=()).is_top_right
    assert not replace(CONTROL, shown=Shown(roots=("MOD001",))).is_top_right


def test_an_effect_under_the_wrong_root_is_a_false_path() -> None:
    one = wrong(edges=(("TSK001", "EMB001"),))
    assert one.false_edges == (("TSK001", "EMB001"),)
    assert not one.is_right


def test_what_is_told_as_a_root_is_told() -> None:
    assert wrong(beside=()).missed == ("TSK002",)
    assert wrong(beside=(), roots=("TSK001", "TSK002")).missed == ()


def test_what_is_told_and_is_not_there_is_too_much() -> None:
    assert wrong(beside=("TSK002", "CHN003")).too_much == ("CHN003",)
    assert wrong(unexplained=("CHN001",)).too_much == ("CHN001",)
    assert not wrong(beside=("TSK002", "CHN003")).is_right
    assert wrong(beside=("TSK002", "VEC001")).is_right


def test_a_round_that_did_not_end_is_wrong_in_everything() -> None:
    one = replace(RIGHT, problem="the sandbox did not come up", shown=EXPECTED)
    assert not one.is_exact
    assert not one.is_top_right
    assert not one.is_right


def test_scores_that_fall_short_are_said() -> None:
    single, control = (
        replace(RIGHT, shown=Shown(roots=("MOD001",)), treatment=Treatment(False, False, False), seconds=9.0),
        replace(CONTROL, shown=Shown(roots=("MOD001",))),
    )
    of_control, of_single = scores([single, control])
    assert of_control.missed_targets == (
        "control: roots exact in 0/1 (0.0%), wanted 100%",
        "control: 1 false roots, wanted 0",
    )
    assert of_single.missed_targets == (
        "single: roots exact in 0/1 (0.0%), wanted 100%",
        "single: 1 false roots, wanted 0",
        "single: a diagnosis took 9.0 s, wanted 5 s",
        "single: repaired 0/1 (0.0%), wanted all",
        "single: verified 0/1 (0.0%), wanted all",
        "single: left alone 0/1 (0.0%), wanted all",
    )


def test_what_only_a_person_repairs_is_not_counted_as_unrepaired() -> None:
    (of_single,) = scores([replace(RIGHT, treatment=Treatment(left_alone=True))])
    assert (of_single.repaired, of_single.left_alone) == (Share(0, 0), Share(1, 1))
    assert of_single.missed_targets == ()


@given(SHOWN, SHOWN, st.sampled_from(["", "it did not end"]))
def test_an_outcome_survives_its_line(expected: Shown, shown: Shown, problem: str) -> None:
    one = Outcome("a + b", "pair", expected, shown, 1.25, Treatment(None, True, False), "EMB001: left", problem)
    assert Outcome.from_json(one.as_json()) == one


def test_the_page_shows_scores_every_round_and_what_was_not_right() -> None:
    lost = replace(wrong(roots=("MOD001",), beside=()), name="two")
    page = document([CONTROL, RIGHT, lost], "1.2.3")
    assert "Version 1.2.3, 3 rounds." in page
    assert "| 2 singles | 1/2 (50.0%) |" in page
    assert "- not reached: single: roots exact in 1/2 (50.0%), wanted 100%" in page
    assert "| ✓ | one | TSK001 | CHN001 | TSK002 |  | yes | 0.5 |" in page
    assert "- two: not named: TSK001; no root: MOD001; not told: TSK002\n" in page
