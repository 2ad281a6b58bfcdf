"""The numbers of the search: computed as they are named, on labels that mean something."""

import pytest

from tests.bench.labelled_search import MESSAGES, QUESTIONS, chatter
from tests.bench.search import Relevance, percentile, relevance


def test_recall_counts_the_relevant_among_the_first_and_the_rank_is_that_of_the_first():
    answers = [["a", "x", "b", "y", "c"], ["x", "y", "z"], ["c", "b", "a"]]
    relevant = [["a", "b", "c", "d"], ["a"], ["a", "b", "c"]]
    assert relevance(answers, relevant, k=3) == Relevance(pytest.approx((0.5 + 0 + 1) / 3), pytest.approx(2 / 3))


def test_a_percentile_is_one_of_the_values():
    values = [float(number) for number in range(100, 0, -1)]
    assert [percentile(values, share) for share in (0.5, 0.95, 1.0)] == [50, 95, 100]
    assert percentile([3.0], 0.95) == 3.0


def test_every_question_has_relevant_messages_and_no_text_occurs_twice():
    labelled = [text for texts in MESSAGES.values() for text in texts]
    assert {subject for _, subject in QUESTIONS} == MESSAGES.keys()
    texts = labelled + [question for question, _ in QUESTIONS] + chatter(10_000)
    assert len(set(texts)) == len(texts)
