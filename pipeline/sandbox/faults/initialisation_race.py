"""The semantic index is started in the background, and its callers test at once whether it is ready.

The first call for every user after a start of the API fails, and the second one works. What was to be indexed is lost;
the log has a line, and nothing else shows it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor.pipeline.sandbox.code_edit import exchange, take_back
from doctor.pipeline.sandbox.fault import Expectation, Fault

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

FILE = "semantic_index.py"
AWAITED = "        await self.ensure_initialized()\n"
STARTED = """\
        self._ensure_initialized()
        if not self._initialized:
            logger.error("Cannot {what} - service not initialized for user {{}}", self.user_id)
            raise RuntimeError(f"Cannot {what} - service not initialized for user {{self.user_id}}")
"""
NEXT = {
    "index content": "        self._notes[content] = _Entry(",
    "search": "        found = await self._compared(await _direction_of(query))",
    "get similarity": "        found = await self._compared(await _direction_of(content))",
}
WAITER = "    async def ensure_initialized(self) -> None:\n"
STARTER = """\
    def _ensure_initialized(self) -> None:
        if not self._initialized:
            self._loading = asyncio.create_task(self._load())

"""
IMPORT = "from pgvector import Vector\n"

EDITS = [
    (IMPORT, f"from loguru import logger\n{IMPORT}"),
    (WAITER, f"{STARTER}{WAITER}"),
    *((f"{AWAITED}{after}", f"{STARTED.format(what=what)}{after}") for what, after in NEXT.items()),
]


def _break(sandbox: Sandbox) -> None:
    exchange(sandbox.layout.app / FILE, EDITS)


def _heal(sandbox: Sandbox) -> None:
    take_back(sandbox.layout.app / FILE, EDITS)


FAULT = Fault(
    name="initialisation-race",
    case="C16",
    title="What is started in the background is taken for done",
    description=__doc__ or "",
    expected=Expectation(roots=("INI001",)),
    break_=_break,
    heal=_heal,
    touches=("semantic_index.py",),
    edits_code=True,
)
