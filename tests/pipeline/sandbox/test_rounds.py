"""Which faults meet in one sandbox."""

from __future__ import annotations

from doctor.pipeline.sandbox.fault import Expectation, all_faults, find_fault
from doctor.pipeline.sandbox.noise import NOISE
from doctor.pipeline.sandbox.outages import OUTAGES
from doctor.pipeline.sandbox.rounds import HEALTHY, Kind, all_rounds, can_hold_together, together

ROUNDS = list(all_rounds())


def test_every_fault_stands_alone_once_and_every_noise_is_a_control() -> None:
    assert [one.faults for one in ROUNDS if one.kind is Kind.SINGLE] == [(name,) for name in all_faults()]
    assert [one.name for one in ROUNDS if one.kind is Kind.CONTROL] == [HEALTHY, *NOISE]
    assert [one.name for one in ROUNDS if one.kind is Kind.OUTAGE] == list(OUTAGES)
    assert len({one.name for one in ROUNDS}) == len(ROUNDS)


def test_faults_of_one_file_or_one_column_do_not_meet() -> None:
    for one in ROUNDS:
        touched = [what for name in one.faults for what in find_fault(name).touches]
        assert len(set(touched)) == len(touched), one.name
    assert not can_hold_together(find_fault("zero-vectors"), find_fault("padded-vectors"))
    assert can_hold_together(find_fault("decorator-order"), find_fault("agent-config-inactive"))


def test_faults_together_show_what_each_shows_alone() -> None:
    merged = together([Expectation(roots=("A",), effects=("C",)), Expectation(roots=("B", "A"), advice=("D",))])
    assert merged == Expectation(roots=("A", "B"), effects=("C",), advice=("D",))
