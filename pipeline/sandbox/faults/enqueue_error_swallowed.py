"""A failed enqueue is logged as a warning and forgotten.

No dead letter, no retry, no error: whatever breaks the enqueue becomes silence. Alone it breaks nothing; beside the
wrong decorator order it is what makes that invisible.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from doctor.pipeline.sandbox.code_edit import EditError, parse, range_of, read_lines, write_lines
from doctor.pipeline.sandbox.fault import Expectation, Fault
from doctor.pipeline.sandbox.memory import forget, recall, remember

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

NAME = "enqueue-error-swallowed"
FILE = "tasks/ingestion.py"
ENQUEUE = "score_message_task.kiq"


def _enqueuing_try(module: ast.Module) -> ast.Try | None:
    """Return the statement that enqueues the scoring and handles its failure."""
    for node in ast.walk(module):
        if isinstance(node, ast.Try) and any(ENQUEUE in ast.unparse(statement) for statement in node.body):
            return node
    return None


def _break(sandbox: Sandbox) -> None:
    """Leave of the handler what it logs; the rest of its lines go."""
    path = sandbox.layout.app / FILE
    lines = read_lines(path)
    statement = _enqueuing_try(parse(path, lines))
    if statement is None or not statement.handlers:
        raise EditError(f"{path} has no `try` around {ENQUEUE}: make the sandbox anew")
    body = statement.handlers[0].body
    if len(body) == 1:
        return
    first, last = range_of(statement)
    end_of_log = range_of(body[0])[1]
    before, after = lines[first - 1 : last], lines[first - 1 : end_of_log]
    texts = {"before": b"".join(before).decode("utf-8"), "after": b"".join(after).decode("utf-8")}
    remember(sandbox, NAME, texts)
    write_lines(path, [*lines[:end_of_log], *lines[last:]])


def _heal(sandbox: Sandbox) -> None:
    earlier = recall(sandbox, NAME)
    if not earlier:
        return
    path = sandbox.layout.app / FILE
    content = b"".join(read_lines(path))
    before, after = earlier["before"].encode("utf-8"), earlier["after"].encode("utf-8")
    # What is left is the beginning of what was there, so the whole must be looked for first.
    if before not in content and content.count(after) == 1:
        write_lines(path, [content.replace(after, before)])
    forget(sandbox, NAME)


FAULT = Fault(
    name=NAME,
    case="C5",
    title="A failed enqueue is logged and forgotten",
    description=__doc__ or "",
    expected=Expectation(contributing=("TSK002",)),
    break_=_break,
    heal=_heal,
    touches=("tasks/ingestion.py",),
    edits_code=True,
)
