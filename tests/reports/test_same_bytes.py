"""The same run gives the same bytes: in another process, with another hash seed, in another time zone and language."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from doctor.record import loads
from doctor.report import Presentation
from doctor.reports import html, json_document, markdown
from tests.command_line import environment
from tests.documents import EXAMPLE

ROOT = Path(__file__).parents[2]
FORMATS = {"html": html.REPORT, "json": json_document.REPORT, "markdown": markdown.REPORT}
ELSEWHERE = {"TZ": "Asia/Tokyo", "LC_ALL": "C", "COLUMNS": "40", "PYTHONHASHSEED": "1"}


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_record_gives_the_same_bytes_everywhere(name: str, tmp_path: Path):
    here = FORMATS[name].render(loads(EXAMPLE.read_bytes()), Presentation()).encode()
    done = subprocess.run(
        [sys.executable, "-m", "doctor", "report", "--from", str(EXAMPLE), "--format", name],
        cwd=tmp_path,
        env={**environment(), **ELSEWHERE, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
    )
    assert done.stdout == here
