"""``make corpus``: every finding on foreign code has its verdict, and code that is broken on purpose is found."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor

from tests.corpus.mutants import NEEDED, SEED, Outcome, draw_registrations, draw_statements, outcomes
from tests.corpus.mutations import REGISTRATION_KINDS
from tests.corpus.registrations import read
from tests.corpus.sources import CorpusError, Package, fetch, pinned
from tests.corpus.survey import GATING, Survey, survey
from tests.corpus.verdicts import DOCUMENT, disagreements, verdicts

COUNTS = re.compile(r"(?<=<!-- corpus -->\n).*?(?=<!-- end -->)", re.DOTALL)
MUTANTS = re.compile(r"(?<=<!-- mutants -->\n).*?(?=<!-- end -->)", re.DOTALL)


def main() -> int:
    """Survey, compare, break; print everything, write the counts into the document; 1 when anything disagrees."""
    packages = pinned()
    fetch(packages)
    surveys = surveyed(packages)
    wrong = list(disagreements([hit for one in surveys for hit in one.gating], verdicts(text_of_document())))
    table, too_silent = broken(packages)
    for text in wrong + too_silent:
        say(f"DISAGREES  {text}")
    write(COUNTS, counts_table(surveys))
    write(MUTANTS, table)
    return 1 if wrong or too_silent else 0


def surveyed(packages: Sequence[Package]) -> list[Survey]:
    """Survey every package, as many at a time as there are processors, and print each and its errors."""
    surveys = []
    with ProcessPoolExecutor() as pool:
        for one in pool.map(survey, packages):
            surveys.append(one)
            say(line(one))
            for hit in one.gating:
                say(f"  {hit.severity} {hit.code} {hit.path}:{hit.line}  {hit.symptom}")
    return surveys


def broken(packages: Sequence[Package]) -> tuple[str, list[str]]:
    """Break what is drawn and look for it; return the table, and what is wrong with the shares."""
    readings = [read(package) for package in packages]
    say(f"\nseed {SEED}")
    registrations = list(shown(outcomes(draw_registrations(readings))))
    others = list(shown(outcomes(draw_statements(readings))))
    table = mutant_table(registrations, others, sum(len(reading.registrations) for reading in readings))
    say(table)
    return table, [text for text in (too_few("registrations", registrations), too_few("others", others)) if text]


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def line(one: Survey) -> str:
    """Return what was read of one package."""
    tasks = " ".join(f"{library} {count}" for library, count in sorted(one.tasks.items()))
    severities = Counter(hit.severity for hit in one.hits)
    found = " ".join(f"{severity} {count}" for severity, count in sorted(severities.items()))
    return f"{one.package!s:<44} {one.files:5} files  {one.routes:4} routes  tasks {tasks or '-':<24} {found}"


def shown(found: Iterable[Outcome]) -> Iterable[Outcome]:
    """Pass outcomes on, and print each."""
    for one in found:
        mutation = one.mutation
        word = "found " if one.found else "MISSED"
        say(f"{word} {one.package} {mutation.path} {mutation.function}: {mutation.kind} {mutation.how}".rstrip())
        yield one


def too_few(what: str, found: Sequence[Outcome]) -> str:
    """Return what is wrong with the share that was found, or nothing."""
    share = sum(one.found for one in found) / max(len(found), 1)
    return "" if share >= NEEDED else f"{share:.0%} of the broken {what} are found; at least {NEEDED:.0%} are wanted"


def counts_table(surveys: Sequence[Survey]) -> str:
    """Return the table of what was read, in Markdown."""
    rows = ["| package | files | tasks | enqueues | routes | errors | warnings |", "|---|---:|---|---:|---:|---:|---:|"]
    for one in surveys:
        severities = Counter("error" if hit.severity in GATING else hit.severity for hit in one.hits)
        tasks = ", ".join(f"{count} {library}" for library, count in sorted(one.tasks.items())) or "–"
        numbers = (one.enqueues, one.routes, severities["error"], severities["warning"])
        rows.append(f"| {one.package} | {one.files} | {tasks} | {' | '.join(map(str, numbers))} |")
    tasks = sum((one.tasks for one in surveys), Counter())
    sums = [sum(one.enqueues for one in surveys), sum(one.routes for one in surveys)]
    severe = [
        sum(len(one.gating) for one in surveys),
        sum(h.severity == "warning" for one in surveys for h in one.hits),
    ]
    by_library = ", ".join(f"{count} {library}" for library, count in sorted(tasks.items()))
    files = sum(one.files for one in surveys)
    rows.append(f"| **{len(surveys)} packages** | {files} | {by_library} | {' | '.join(map(str, sums + severe))} |")
    return "\n".join(rows) + "\n"


def mutant_table(registrations: Sequence[Outcome], others: Sequence[Outcome], seen: int) -> str:
    """Return the table of what was broken and found, in Markdown."""
    rows = ["| broken how | broken | found |", "|---|---:|---:|"]
    for kind in dict.fromkeys((*REGISTRATION_KINDS, *(one.mutation.kind for one in others))):
        of_kind = [one for one in (*registrations, *others) if one.mutation.kind is kind]
        rows.append(f"| {kind} | {len(of_kind)} | {sum(one.found for one in of_kind)} |")
    rows.append(f"| **registrations**, of {seen} | {len(registrations)} | {sum(one.found for one in registrations)} |")
    rows.append(f"| **others** | {len(others)} | {sum(one.found for one in others)} |")
    return "\n".join(rows) + "\n"


def text_of_document() -> str:
    """Return the document as it stands."""
    return DOCUMENT.read_text(encoding="utf-8")


def write(place: re.Pattern[str], table: str) -> None:
    """Write a table into its place in the document."""
    DOCUMENT.write_text(place.sub(lambda _: table, text_of_document(), count=1), encoding="utf-8")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CorpusError as error:
        sys.exit(f"corpus: {error}")
