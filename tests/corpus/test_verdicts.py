"""What docs/precision.md says is what `make corpus` compares."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.corpus.__main__ import COUNTS, MUTANTS
from tests.corpus.mutants import NEEDED, REGISTRATIONS
from tests.corpus.sources import pinned
from tests.corpus.survey import Hit
from tests.corpus.verdicts import DOCUMENT, Verdict, VerdictError, disagreements, verdicts

TEXT = DOCUMENT.read_text(encoding="utf-8")
HIT = Hit("shop", "1.0", "TSK001", "shop/tasks.py", 7, "error", "`pay` cannot be enqueued")
VERDICT = Verdict("shop", "1.0", "TSK001", "shop/tasks.py", 7, "true", "it cannot")


def table(*rows: str) -> str:
    return "\n".join(("<!-- verdicts -->", "| a | b | c | d | e |", "|---|---|---|---|---|", *rows, "<!-- end -->"))


def reasons(*hits: Hit, known: tuple[Verdict, ...] = (VERDICT,)) -> list[str]:
    return list(disagreements(hits, known))


def rows(pattern: re.Pattern[str]) -> Iterator[list[str]]:
    found = pattern.search(TEXT)
    assert found is not None
    for row in found.group().strip().splitlines()[2:]:
        yield [cell.strip().strip("*") for cell in row.strip("|").split("|")]


def test_every_verdict_of_the_document_is_about_a_package_of_the_corpus() -> None:
    versions = {(package.name, package.version) for package in pinned()}
    found = verdicts(TEXT)
    assert {(verdict.package, verdict.version) for verdict in found} <= versions
    assert len({verdict.place for verdict in found}) == len(found)


def test_no_verdict_of_the_document_is_that_a_finding_is_false() -> None:
    assert all(verdict.word in ("true", "debatable") for verdict in verdicts(TEXT))


def test_the_document_counts_every_package_of_the_corpus_and_each_error_once() -> None:
    counted = list(rows(COUNTS))
    assert [cells[0] for cells in counted[:-1]] == [str(package) for package in pinned()]
    assert counted[-1][0] == f"{len(pinned())} packages"
    assert int(counted[-1][5]) == len(verdicts(TEXT)) == sum(int(cells[5]) for cells in counted[:-1])


def test_the_document_shows_that_enough_of_what_was_broken_is_found() -> None:
    cells = {row[0].replace("*", ""): (int(row[1]), int(row[2])) for row in rows(MUTANTS)}
    sums = {name.rstrip("0123456789 "): cell for name, cell in list(cells.items())[-2:]}
    assert sums["registrations, of"][0] == REGISTRATIONS
    for broken, found in sums.values():
        assert found >= NEEDED * broken


def test_a_finding_with_its_verdict_is_no_disagreement() -> None:
    assert reasons(HIT) == []


def test_a_finding_without_a_verdict_is_one() -> None:
    (reason,) = reasons(HIT, known=())
    assert reason == "no verdict: shop 1.0 TSK001 shop/tasks.py:7 (error) `pay` cannot be enqueued"


def test_a_verdict_whose_finding_is_gone_is_one() -> None:
    (reason,) = reasons()
    assert reason.startswith("no longer found: shop 1.0 TSK001 shop/tasks.py:7")


def test_a_finding_that_is_called_false_is_one() -> None:
    false = Verdict(*VERDICT.place, "false", "it can")
    (reason,) = reasons(HIT, known=(false,))
    assert "the rule is to be mended" in reason


def test_a_table_is_read_row_by_row() -> None:
    assert verdicts(table("| shop 1.0 | TSK001 | `shop/tasks.py:7` | true | it cannot |")) == (VERDICT,)


@pytest.mark.parametrize(
    "row",
    [
        "| shop 1.0 | TSK001 | shop/tasks.py:7 | true | it cannot |",
        "| shop | TSK001 | `shop/tasks.py:7` | true | it cannot |",
        "| shop 1.0 | TSK001 | `shop/tasks.py:7` | perhaps | it cannot |",
        "| shop 1.0 | TSK001 | `shop/tasks.py:7` | true |",
    ],
)
def test_a_row_of_another_form_is_named(row: str) -> None:
    with pytest.raises(VerdictError, match="no verdict: "):
        verdicts(table(row))


def test_a_document_without_a_table_is_refused() -> None:
    with pytest.raises(VerdictError, match="no table"):
        verdicts("# Precision")
