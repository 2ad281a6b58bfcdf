"""How vector indexes are built: HNSW's parameters by the number of rows, and how much memory a build may take.

Estimates of size and memory were fitted to builds of 100,000 rows (pgvector 0.8.5): 205 MB at 384 dimensions whatever
``m`` is, and 2,252 bytes of memory a row with m = 16.
"""

from __future__ import annotations

from dataclasses import dataclass

PAGE = 8_152
"""Bytes of a page that hold tuples."""

BYTES_OF_A_NUMBER = {"vector": 4, "halfvec": 2}
"""Size of one dimension by type."""


@dataclass(frozen=True, slots=True)
class Hnsw:
    """Parameters for tables of up to ``rows`` rows (None: of any size)."""

    rows: int | None
    m: int
    ef_construction: int


DEFAULT = (Hnsw(1_000, 16, 64), Hnsw(100_000, 32, 128), Hnsw(None, 48, 200))
"""More links and a longer search for them as the table grows: slower to build, better answers."""


@dataclass(frozen=True, slots=True)
class IndexParameters:
    """What the configuration says. ``memory`` is what a build may take at most, in bytes; None: nothing is said."""

    by_rows: tuple[Hnsw, ...] = DEFAULT
    memory: int | None = None

    def of(self, rows: int) -> Hnsw:
        """Return the parameters for so many rows; those for the most where none are for as many."""
        fitting = (one for one in self.by_rows if one.rows is None or rows <= one.rows)
        return next(fitting, self.by_rows[-1])


def disk_needed(rows: int, kind: str, dimensions: int, m: int) -> int:
    """Return about how many bytes an HNSW index takes: vectors and links are packed into pages, and never split."""
    row = BYTES_OF_A_NUMBER.get(kind, 4) * dimensions + 12 * m + 80
    return -(-rows // max(1, PAGE // row)) * 8_192


def memory_needed(rows: int, kind: str, dimensions: int, m: int) -> int:
    """Return about how many bytes hold the whole graph, rounded up to megabytes.

    With less, a build takes about five times as long.
    """
    return -(-rows * (BYTES_OF_A_NUMBER.get(kind, 4) * dimensions + 32 * m + 200) >> 20) << 20
