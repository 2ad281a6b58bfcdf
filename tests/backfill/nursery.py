"""A process that has imported everything and makes workers by forking: starting Python anew would take longer than the
moments that are to be hit.

Each line on its standard input is the arguments of a worker as JSON; it answers with the process id.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import signal
import sys
from pathlib import Path

from tests.backfill.repair import repairing

LATE = ("httpx", "pgvector.psycopg", "psycopg.sql", "psycopg.conninfo", "psycopg.types.numeric")
"""What the doctor imports when it is first used; a worker would import it anew after each fork."""


async def work(database_url: str, model_url: str, folder: str) -> None:
    """Repair with one worker; the outcome is written into the folder."""
    async with repairing(database_url, model_url, Path(folder) / "journal.jsonl") as repair:
        outcome = await repair.make(workers=1)
    (Path(folder) / "outcome").write_text(outcome)


def main() -> None:
    """Fork a worker for each line."""
    for name in LATE:
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    for line in sys.stdin:
        if pid := os.fork():
            sys.stdout.write(f"{pid}\n")
            sys.stdout.flush()
            continue
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        asyncio.run(work(*json.loads(line)))
        os._exit(0)


if __name__ == "__main__":
    main()
