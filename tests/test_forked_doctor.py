"""The forked doctor is the doctor."""

from pathlib import Path

import pytest

from tests import command_line, forked_doctor

BROKEN = """\
from functools import lru_cache
from celery import shared_task

@lru_cache
@shared_task
def job(): ...
"""


@pytest.mark.parametrize(("words", "code"), [("explain TSK001", 0), ("fix TSK001", 2), ("verify", 3)])
def test_it_says_what_the_command_says(tmp_path: Path, words: str, code: int) -> None:
    (tmp_path / "jobs.py").write_text(BROKEN)
    its, mine = (
        call(*words.split(), cwd=tmp_path, extra={"FORCE_COLOR": "1"}) for call in (command_line.run, forked_doctor.run)
    )
    assert its.returncode == code
    assert vars(mine) == vars(its)
