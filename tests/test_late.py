"""Libraries are imported when they are needed, not before."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from doctor import late

CLIENTS = ("aiohttp", "httpx", "jinja2", "libcst", "nats", "psycopg")
PROGRAM = "import sys; from doctor.main import main; main(['check', '--offline', sys.argv[1]]); print(*sys.modules)"


def test_a_run_on_source_alone_imports_no_client_library(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("x = 1\n")
    finished = subprocess.run([sys.executable, "-c", PROGRAM, tmp_path], capture_output=True, text=True, check=True)
    loaded = set(finished.stdout.splitlines()[-1].split())
    assert "doctor.checks.vector_index_missing" in loaded
    assert sorted(loaded.intersection(CLIENTS)) == []


def test_what_a_live_check_uses_is_imported_before_it_is_measured() -> None:
    program = "import sys; from doctor import late; late.load(sys.argv[1:]); print(*sys.modules)"
    command = [sys.executable, "-c", program, "database", "nats", "models", "source"]
    loaded = set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    assert loaded >= {"httpx", "nats.js.errors", "psycopg.sql"}


def test_a_probe_imports_no_part_of_a_client_that_it_does_not_use(tmp_path: Path) -> None:
    probing = PROGRAM.replace("['check', '--offline', sys.argv[1]]", "['probe', 'pipeline', '--path', sys.argv[1]]")
    closed = (
        "DATABASE_URL=postgresql://u:p@127.0.0.1:1/x\nNATS_URL=nats://127.0.0.1:1\nOLLAMA_HOST=http://127.0.0.1:1\n"
    )
    (tmp_path / ".env").write_text(closed)
    finished = subprocess.run([sys.executable, "-c", probing, tmp_path], capture_output=True, text=True, check=True)
    loaded = set(finished.stdout.splitlines()[-1].split())
    assert loaded >= {"httpx", "psycopg"}
    assert sorted(loaded.intersection({"aiohttp", "pygments", "rich"})) == []


def test_a_late_module_has_the_attributes_of_the_real_one() -> None:
    import psycopg.sql

    assert late.sql.SQL is psycopg.sql.SQL
    with pytest.raises(AttributeError, match="nothing_of_this_name"):
        late.sql.nothing_of_this_name  # noqa: B018
