"""A check that is opt-in runs when its code or its tag is asked for, and not with all the others."""

import json
from pathlib import Path

import pytest

from tests.forked_doctor import run

JOBS = "from celery import shared_task\nfrom elsewhere import traced\n\n\n@traced\n@shared_task\ndef clean(): ...\n"


@pytest.mark.parametrize(
    ("words", "runs"),
    [((), False), (("--select", "TSK"), False), (("--select", "TSK010"), True), (("--tag", "opt-in"), True)],
)
def test_it_runs_only_when_asked_for(tmp_path: Path, words: tuple[str, ...], runs: bool) -> None:
    (tmp_path / "jobs.py").write_text(JOBS)
    document = json.loads(run("check", "--offline", "--format", "json", *words, cwd=tmp_path).stdout)
    assert ("TSK010" in document["checks"]) is runs
    assert any(finding["code"] == "TSK010" for finding in document["findings"]) is runs
