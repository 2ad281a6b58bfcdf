"""Puts templates under one that differ in a single word: names of users, states, commands. For display only.

Ids never depend on it, for it looks at all templates at once. In a group of templates with as many words, a position
becomes a :data:`VALUE` when everything else is the same and enough different words stand there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import combinations

from doctor.triage.masking import VALUE, collapsed

ENOUGH = 5
"""Different words at a position that make it a variable one."""

CONSTANT = 2
"""Words besides it that must stay."""

MOST_WORDS = 20
"""Words of a template of which pairs are looked at."""

MOST = 5_000
"""Templates above which nothing is merged: it costs their number times their length."""


def merged(templates: Iterable[str]) -> Mapping[str, str]:
    """Return for each template the one under which it is shown, which may be itself."""
    names = sorted(set(templates))
    shown = {name: name for name in names}
    if len(names) > MOST:
        return shown
    buckets: dict[tuple[int, str], list[str]] = defaultdict(list)
    for name in names:
        words = name.split(" ")
        buckets[len(words), "".join(character for character in name if character in "[](){}=:,")].append(name)
    for bucket in buckets.values():
        if len(bucket) > 1:
            shown.update(_merged_bucket(bucket))
    return shown


def _merged_bucket(bucket: list[str]) -> dict[str, str]:
    current = {name: tuple(name.split(" ")) for name in bucket}
    changed = True
    while changed:
        changed = False
        for position in range(1, len(next(iter(current.values())))):
            groups: dict[tuple[str, ...], list[str]] = defaultdict(list)
            for name, words in current.items():
                groups[(*words[:position], *words[position + 1 :])].append(name)
            for rest, members in groups.items():
                values = {current[name][position] for name in members}
                if len(values) > 1 and _is_variable(values, rest):
                    new = (*rest[:position], VALUE, *rest[position:])
                    current.update(dict.fromkeys(members, new))
                    changed = True
    _in_pairs(current)
    return {name: collapsed(" ".join(words)) for name, words in current.items()}


def _in_pairs(current: dict[str, tuple[str, ...]]) -> None:
    """Make two positions variable at once where many templates differ in both, such as the states of a transition."""
    length = len(next(iter(current.values())))
    if length > MOST_WORDS:
        return
    for first, second in combinations(range(1, length), 2):
        groups: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for name, words in current.items():
            groups[(*words[:first], *words[first + 1 : second], *words[second + 1 :])].append(name)
        for rest, members in groups.items():
            values = [{current[name][position] for name in members} for position in (first, second)]
            if min(map(len, values)) >= ENOUGH and _is_variable(values[0], rest):
                new = list(current[members[0]])
                new[first] = new[second] = VALUE
                current.update(dict.fromkeys(members, tuple(new)))


def _is_variable(values: set[str], rest: tuple[str, ...]) -> bool:
    constant = sum(word != VALUE and any(map(str.isalpha, word)) for word in rest)
    return constant >= CONSTANT and (len(values) >= ENOUGH or VALUE in values)
