"""``doctor demo --act auth`` holds, says what it found, shows no secret, and leaves nothing behind."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.command_line import command, environment

DEADLINE = 120.0


def test_every_token_is_refused_for_one_cause_behind_another_and_both_are_named(tmp_path: Path) -> None:
    newcomer, temporary = tmp_path / "newcomer", tmp_path / "temporary"
    newcomer.mkdir()
    temporary.mkdir()
    told = subprocess.run(
        command("demo", "--act", "auth"),
        cwd=newcomer,
        env=environment(TMPDIR=str(temporary)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=DEADLINE,
        check=False,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    assert re.findall(r"✓ root causes: (.*)", told.stdout) == ["AUT003, AUT008", "AUT008"]
    assert re.findall(r"✓ .*: me (\d+), messages", told.stdout) == ["200", "503", "401", "200"]
    assert re.search(r"explains +AUT011", told.stdout)
    assert "8 look-alikes are ruled out by measurement; left: none" in told.stdout
    assert not re.findall(r"eyJ|sk_test_\w|pk_test_\w", told.stdout + told.stderr)
    assert [*newcomer.iterdir(), *temporary.iterdir()] == []
