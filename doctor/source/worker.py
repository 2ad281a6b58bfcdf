"""Reads the source in a process of its own: ``python -m doctor.source.worker ROOT [CACHE]`` prints pickled facts."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

RECURSION_LIMIT = 3_000
"""Deeper than any code that people write, and far from the end of the C stack."""

PROCESSES = 2
"""A third would have nothing left to do: half the time goes to what cannot be shared."""


def main() -> int:
    """Read the folder named by the first argument; keep facts in the second, if there is one; return the exit code."""
    if len(sys.argv) not in (2, 3):
        sys.stderr.write("usage: python -m doctor.source.worker ROOT [CACHE]\n")
        return 2
    gc.disable()  # the trees are dropped one by one; collecting them again costs 15 %
    sys.setrecursionlimit(RECURSION_LIMIT)
    from doctor.source.reading import Reading

    reading = Reading(Path(sys.argv[1]).absolute(), cache=Path(sys.argv[2]) if len(sys.argv) == 3 else None)
    sys.stdout.buffer.write(reading.facts(processes=min(PROCESSES, os.cpu_count() or 1)))
    sys.stdout.flush()
    os.close(sys.stdout.fileno())  # the facts are complete; whoever waits for them need not wait for the rest
    reading.keep()
    os._exit(0)  # nothing is left to do, and freeing the trees takes a while


if __name__ == "__main__":
    sys.exit(main())
