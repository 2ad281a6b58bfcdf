"""Draws places at random, breaks a copy of their packages, and counts what the doctor finds of it."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.corpus.mutations import (
    CODES,
    PLACED,
    WRAPPERS,
    Kind,
    Mutation,
    edited,
    registrar_lost,
    registrar_moved,
    swapped,
    wrapper_above,
)
from tests.corpus.registrations import Reading, Registration
from tests.corpus.sources import Package
from tests.corpus.statements import statements
from tests.corpus.survey import check

SEED = 20_261_125
REGISTRATIONS = 50
STATEMENTS = 25
"""Places of each kind of statement."""

NEEDED = 0.95
"""Share of the broken registrations, and of all other breaks, that must be found."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One break, and whether the doctor found it."""

    package: Package
    mutation: Mutation
    found: bool


def draw_registrations(readings: Iterable[Reading], seed: int = SEED) -> list[tuple[Package, Mutation]]:
    """Choose registrations of the corpus, and how each is broken."""
    chance = random.Random(seed)
    everywhere = [(reading, one) for reading in readings for one in reading.registrations]
    chosen = chance.sample(everywhere, min(REGISTRATIONS, len(everywhere)))
    return [(reading.package, _broken(reading, one, chance)) for reading, one in chosen]


def _broken(reading: Reading, one: Registration, chance: random.Random) -> Mutation:
    text = text_of(reading.package, one.path)
    ways = [wrapper_above(reading, one, chance.choice(sorted(WRAPPERS)))]
    if reading.is_enqueued(one):
        ways += [registrar_moved(one), registrar_lost(one)]
    swap = swapped(reading, one, text)
    return swap if swap is not None else chance.choice(ways)


def draw_statements(readings: Iterable[Reading], seed: int = SEED) -> list[tuple[Package, Mutation]]:
    """Choose statements of the corpus to break, of each kind up to :data:`STATEMENTS`."""
    chance = random.Random(seed)
    places: dict[Kind, list[tuple[Package, Mutation]]] = defaultdict(list)
    for reading in readings:
        for mutation in statements(reading, lambda path, package=reading.package: text_of(package, path)):  # type: ignore[misc]
            places[mutation.kind].append((reading.package, mutation))
    return [one for kind in sorted(places) for one in chance.sample(places[kind], min(STATEMENTS, len(places[kind])))]


def text_of(package: Package, path: str) -> str:
    """Return the text of a file with one kind of line end; bytes that are no UTF-8 are kept as surrogates."""
    return (package.folder / path).read_text(encoding="utf-8", errors="surrogateescape")


def outcomes(drawn: Iterable[tuple[Package, Mutation]]) -> Iterator[Outcome]:
    """Break one copy of each package for each kind, and check it."""
    groups: dict[tuple[Package, Kind], list[Mutation]] = defaultdict(list)
    for package, mutation in drawn:
        groups[package, mutation.kind].append(mutation)
    for (package, kind), mutations in groups.items():
        with tempfile.TemporaryDirectory(prefix="doctor-mutants-") as folder:
            copy = Path(folder) / package.folder.name
            shutil.copytree(package.folder, copy, ignore=shutil.ignore_patterns(".doctor"))
            _break(copy, package, mutations)
            findings = check(copy, "--select", CODES[kind])["findings"]
        resources = [one["resource"] for one in findings]
        places = [(one["path"], one["id"], one["line"]) for one in resources]
        for mutation in mutations:
            yield Outcome(package, mutation, any(_is_here(mutation, *place) for place in places))


def _break(copy: Path, package: Package, mutations: Iterable[Mutation]) -> None:
    by_path: dict[str, list[Mutation]] = defaultdict(list)
    for mutation in mutations:
        by_path[mutation.path].append(mutation)
    for path, here in by_path.items():
        changed = edited(text_of(package, path), [edit for mutation in here for edit in mutation.edits])
        (copy / path).write_text(changed, encoding="utf-8", errors="surrogateescape")


def _is_here(mutation: Mutation, path: str, identity: str, line: int) -> bool:
    """Whether a finding is about a mutation: by its function, or for a log line and a query by its place."""
    if mutation.kind in PLACED:
        return f"{path}:{line}" == mutation.function
    last = identity.rpartition(":")[2].rpartition(".")[2]
    # An enqueue of what is no task is found where it stands, and named after the function that was meant.
    return last == mutation.function and (path == mutation.path or CODES[mutation.kind] == "TSK003")
