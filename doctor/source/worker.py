"""Reads the source in a process of its own: ``python -m doctor.source.worker ROOT`` prints the pickled facts."""

from __future__ import annotations

import gc
import os
import pickle
import sys
from pathlib import Path

from doctor.source.build import build_facts

RECURSION_LIMIT = 3_000
"""Deeper than any code that people write, and far from the end of the C stack."""


def main() -> int:
    """Read the folder named by the only argument; return the exit code."""
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python -m doctor.source.worker ROOT\n")
        return 2
    gc.disable()  # the trees are dropped one by one; collecting them again costs 15 %
    sys.setrecursionlimit(RECURSION_LIMIT)
    facts = build_facts(Path(sys.argv[1]).absolute())
    sys.stdout.buffer.write(pickle.dumps(facts, protocol=pickle.HIGHEST_PROTOCOL))
    sys.stdout.flush()
    os._exit(0)  # nothing is left to do, and freeing the trees takes a while


if __name__ == "__main__":
    sys.exit(main())
