"""The semantic index is loaded twice at once at its first use, and after one failure never again.

The method that indexes starts the load in the background and then awaits it as well; and in place of a lock there is a
flag, which is reset only when all goes well. One outage of the database, and no load is tried any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor.pipeline.sandbox.code_edit import exchange, take_back
from doctor.pipeline.sandbox.fault import Expectation, Fault

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

FILE = "semantic_index.py"
# The end of a docstring, in front of the await, so that the fault of the race can be there as well.
INDEXES = """\
how many texts the index holds; it is gone with the process.

        Raises:
            ModelError, VectorError: the text has no usable vector.
            psycopg.Error: what is stored cannot be loaded.
        \"\"\"
"""
LOAD = "    async def _load(self) -> None:\n"
STARTER = """\
    def _start_loading(self) -> None:
        if not self._initialized:
            self._loading = asyncio.create_task(self._load())

"""
LOCKED = """\
        async with self._lock:
            if self._initialized and self._clock() - self._loaded_at < MAX_AGE_SECONDS:
                return
            self.initializing = True
            try:
                await self._load()
            finally:
                self.initializing = False
"""
FLAGGED = """\
        if self._initialized or self.initializing:
            return
        self.initializing = True
        await self._load()
        self.initializing = False
"""

EDITS = [
    (INDEXES, f"{INDEXES}        self._start_loading()\n"),
    (LOAD, f"{STARTER}{LOAD}"),
    (LOCKED, FLAGGED),
]


def _break(sandbox: Sandbox) -> None:
    exchange(sandbox.layout.app / FILE, EDITS)


def _heal(sandbox: Sandbox) -> None:
    take_back(sandbox.layout.app / FILE, EDITS)


FAULT = Fault(
    name="double-initialisation",
    case="C25",
    title="Initialised twice, or never again",
    description=__doc__ or "",
    expected=Expectation(roots=("INI002", "INI003")),
    break_=_break,
    heal=_heal,
    touches=("semantic_index.py",),
    edits_code=True,
)
