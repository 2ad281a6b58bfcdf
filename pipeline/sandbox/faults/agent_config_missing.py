"""There is no agent configuration for the extraction at all.

What people see is the same as with an inactive row; the repair is another one: a row has to be inserted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg.types.json import Jsonb

from doctor.pipeline.sandbox.fault import Expectation, Fault
from doctor.pipeline.sandbox.memory import forget, recall, remember
from doctor.pipeline.sandbox.seeding import AGENT

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

NAME = "agent-config-missing"

READ = "SELECT to_jsonb(a) FROM agent_configs AS a WHERE a.name = %(name)s"
# Deleting the row clears these references; healing brings them back.
READ_EXTRACTIONS = "SELECT id::text FROM extractions WHERE agent_config_id = %(id)s::uuid"
DELETE = "DELETE FROM agent_configs WHERE name = %(name)s"
INSERT = """
    INSERT INTO agent_configs SELECT * FROM jsonb_populate_record(NULL::agent_configs, %(row)s)
    ON CONFLICT DO NOTHING RETURNING id
"""
RESTORE_EXTRACTIONS = """
    UPDATE extractions SET agent_config_id = %(id)s::uuid
    WHERE id = ANY(%(extractions)s::uuid[]) AND agent_config_id IS NULL
"""


def _break(sandbox: Sandbox) -> None:
    with sandbox.connect() as connection, connection.transaction():
        found = connection.execute(READ, {"name": AGENT}).fetchone()
        if found is None:
            return
        row = found[0]
        assert isinstance(row, dict)
        extractions = [values[0] for values in connection.execute(READ_EXTRACTIONS, {"id": row["id"]})]
        remember(sandbox, NAME, {"row": row, "extractions": extractions})
        connection.execute(DELETE, {"name": AGENT})


def _heal(sandbox: Sandbox) -> None:
    earlier = recall(sandbox, NAME)
    if not earlier:
        return
    with sandbox.connect() as connection, connection.transaction():
        # A row that somebody has inserted meanwhile stays; the name is unique.
        if connection.execute(INSERT, {"row": Jsonb(earlier["row"])}).fetchone() is not None:
            values = {"id": earlier["row"]["id"], "extractions": earlier["extractions"]}
            connection.execute(RESTORE_EXTRACTIONS, values)
    forget(sandbox, NAME)


FAULT = Fault(
    name=NAME,
    case="C2",
    title="The agent configuration is missing",
    description=__doc__ or "",
    expected=Expectation(roots=("AGT001",), effects=("CHN001",)),
    break_=_break,
    heal=_heal,
    touches=("agent.is_active", "agent.model_name", "agent.name"),
)
