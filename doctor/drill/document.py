"""``docs/drill.md``: the scores, and every round. Nothing in it is written by hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict

from doctor.drill.outcome import Outcome
from doctor.drill.score import Scores, Share, scores

HEAD = """\
# The drill

`doctor drill` breaks the example pipeline on purpose, asks for a diagnosis, and compares it with what was broken. Each
round runs in a sandbox that was found healthy before: real PostgreSQL, real NATS, API and worker; the model server is a
stand-in. This page is written by `make drill`.

- **exact**: exactly the true root causes are named, and nothing else is called one.
- **first**: the root that is named first is a true one.
- **paths**: each effect stands under a root that causes it.
- **told**: what contributes, what was left over, what is only advice, and what nobody can tell from here, is said too.
- **repaired**, **verified**: where all that is wrong is safe to repair, it was, and canaries passed every stage.
- **left alone**: where nothing is, no file was changed, and the same is found again.

"""
SCORES = ("rounds", "exact", "first", "false roots", "paths", "told", "repaired", "verified", "left alone", "median")
ROUNDS = ("", "round", "root causes", "effects", "beside", "unknown", "repaired", "s")


def document(outcomes: Sequence[Outcome], version: str) -> str:
    """Return the page for these rounds, in the order in which they are given."""
    found = scores(outcomes)
    parts = [HEAD, f"Version {version}, {len(outcomes)} rounds.\n\n", _table(score_rows(found))]
    missed = [text for one in found for text in one.missed_targets]
    parts.append("\n" + ("".join(f"- not reached: {text}\n" for text in missed) or "All targets are reached.\n"))
    for one in found:
        some = [outcome for outcome in outcomes if outcome.kind == one.kind]
        parts += [f"\n## {one.kind.capitalize()}s\n\n", _table([ROUNDS, *map(_round, some)])]
    wrong = [one for one in outcomes if not one.is_right]
    if wrong:
        parts += ["\n## What was not right\n\n", *(f"- {one.name}: {what_is_wrong(one)}\n" for one in wrong)]
    return "".join(parts)


def score_rows(found: Sequence[Scores]) -> list[tuple[str, ...]]:
    """Return the table of scores, its head first."""
    return [SCORES, *map(_score, found)]


def _score(one: Scores) -> tuple[str, ...]:
    shares: tuple[Share, ...] = (one.paths, one.told, one.repaired, one.verified, one.left_alone)
    return (
        f"{one.exact.whole} {one.kind}s",
        str(one.exact),
        str(one.top),
        str(one.false_roots),
        *map(str, shares),
        f"{one.seconds:.1f} s",
    )


def _round(one: Outcome) -> tuple[str, ...]:
    shown = one.shown
    repaired = {True: "yes", False: "no", None: ""}[one.treatment.repaired]
    return (
        "✓" if one.is_right else "✗",
        one.name,
        _codes(shown.roots),
        _codes(dict.fromkeys(effect for _, effect in shown.edges)),
        _codes(shown.beside),
        _codes(shown.unknown),
        repaired,
        f"{one.seconds:.1f}",
    )


def what_is_wrong(one: Outcome) -> str:
    """Say in one line how a round differs from what it was to show."""
    if one.problem:
        return one.problem
    said = []
    missing = [code for code in one.expected.roots if code not in one.shown.roots]
    for text, codes in (
        ("not named:", missing),
        ("no root:", one.false_roots),
        ("not told:", one.missed),
        ("too much:", one.too_much),
    ):
        if codes:
            said.append(f"{text} {_codes(codes)}")
    said += [f"{effect} is no effect of {root}" for root, effect in one.false_edges]
    said += [f"not {name.replace('_', ' ')}" for name, held in asdict(one.treatment).items() if held is False]
    return "; ".join(said + [f"afterwards {one.afterwards}"] * bool(one.afterwards))


def _codes(codes: Iterable[str]) -> str:
    return " ".join(dict.fromkeys(codes))


def _table(rows: Sequence[Sequence[str]]) -> str:
    lines = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
