"""Masking alone puts the lines of foreign systems together as their templates do."""

from __future__ import annotations

import statistics

import pytest

from tests.bench.corpora import CORPORA, grouping_accuracy, lines_of

TARGET = 0.93


@pytest.fixture(scope="module")
def accuracy() -> dict[str, float]:
    return {name: grouping_accuracy(name) for name in CORPORA}


def test_the_mean_accuracy_is_above_its_target(accuracy: dict[str, float]):
    assert statistics.mean(accuracy.values()) >= TARGET


def test_no_corpus_is_grouped_badly(accuracy: dict[str, float]):
    assert {name: value for name, value in accuracy.items() if value < 0.8} == {}


def test_a_corpus_is_the_same_each_time_and_its_lines_differ():
    for name in CORPORA:
        lines = [text for text, _ in lines_of(name)]
        assert lines == [text for text, _ in lines_of(name)]
        assert len(set(lines)) > len(CORPORA[name])
