"""What undo says."""

from __future__ import annotations

import pytest

from doctor.commands.output import Output
from doctor.commands.undo import _Lines


def test_a_line_in_a_row_is_said_once_with_its_number(capsys: pytest.CaptureFixture[str]):
    lines = _Lines(Output())
    for line in ("37 vectors emptied", "100 vectors emptied", "100 vectors emptied", "1 row restored"):
        lines.add(line)
    lines.end()
    lines.end()
    assert capsys.readouterr().out.splitlines() == [
        "37 vectors emptied",
        "100 vectors emptied (2 times)",
        "1 row restored",
    ]
