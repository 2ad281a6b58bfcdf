"""The same run gives the same bytes: in another process, with another hash seed, in another time zone and language."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from doctor.record import loads
from doctor.report import Presentation
from doctor.reports import html, json_document, markdown
from tests.command_line import environment
from tests.documents import EXAMPLE

ROOT = Path(__file__).parents[2]
FORMATS = {"html": html.REPORT, "json": json_document.REPORT, "markdown": markdown.REPORT}
ELSEWHERE = {"TZ": "Asia/Tokyo", "LC_ALL": "C", "COLUMNS": "40", "PYTHONHASHSEED": "1"}


def test_the_same_record_gives_the_same_bytes_everywhere(tmp_path: Path):
    wanted = [f"--format={name}:{name}.out" for name in FORMATS]
    subprocess.run(
        [sys.executable, "-m", "doctor", "report", "--from", str(EXAMPLE), *wanted],
        cwd=tmp_path,
        env={**environment(), **ELSEWHERE, "PYTHONPATH": str(ROOT)},
        check=True,
    )
    run = loads(EXAMPLE.read_bytes())
    for name, report in FORMATS.items():
        assert (tmp_path / f"{name}.out").read_bytes() == report.render(run, Presentation()).encode(), name
