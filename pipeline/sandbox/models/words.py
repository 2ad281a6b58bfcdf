"""Text as words: what embeddings and extractions of the stand-in are computed from."""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W_]+(?:'[^\W\d_]+)?")

_STOP_WORDS = """
    a about above after again all also am an and any are as at back be because been before being below between both but
    by can cannot could did do does doing done down during each even ever every few for from further get gets getting
    go goes going got had has have having he her here hers him his how i if in into is it its it's itself just last
    let's like made make makes many may me might more most much must my need needs never new next no nor not now of off
    on once one only onto or other our out over own per please same see seen she should since so some still such than
    that that's the their them then there these they thing things think this those though three through to today
    together tomorrow too two turn turns under until up upon us use used uses using very via want was we we'll well went
    were what when where whether which while who why will with within without would yes yesterday yet you your
    don't doesn't didn't can't won't isn't wasn't aren't i'm i've we're we've they're there's
"""

#: Words that say nothing about the subject of an English sentence.
STOP_WORDS = frozenset(_STOP_WORDS.split())

# Endings of the same word, and what stands in their place; the first that fits counts.
_ENDINGS = (("ies", "y"), ("ing", ""), ("ed", ""), ("es", ""), ("s", ""))
SHORTEST_STEM = 3


def words_of(text: str) -> list[str]:
    """Return the words of a text in order, in lower case."""
    return [match.group() for match in _WORD.finditer(text.casefold().replace("\u2019", "'"))]


def stem(word: str) -> str:
    """Cut a common English ending, so that ``queue``, ``queues`` and ``queued`` count as one word. Crude on purpose."""
    for ending, instead in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= SHORTEST_STEM:
            word = word[: -len(ending)] + instead
            break
    return word[:-1] if word.endswith("e") and len(word) > SHORTEST_STEM else word


def salient_words(text: str) -> dict[str, str]:
    """Return the words that carry the subject, as they stand there first, by stem and in order.

    No stop words, no numbers, three letters or more.
    """
    found: dict[str, str] = {}
    for word in words_of(text):
        if len(word) > 2 and word not in STOP_WORDS and not word.isdigit():
            found.setdefault(stem(word), word)
    return found
