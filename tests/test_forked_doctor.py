"""The forked doctor is the doctor."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command_line import run
from tests.forked_doctor import ForkedDoctor

BROKEN = """\
from functools import lru_cache
from celery import shared_task

@lru_cache
@shared_task
def job(): ...
"""


@pytest.fixture(scope="module")
def forked() -> Iterator[ForkedDoctor]:
    made = ForkedDoctor()
    yield made
    made.end()


@pytest.mark.parametrize(("words", "code"), [("explain TSK001", 0), ("fix TSK001", 2), ("verify", 3)])
def test_it_says_what_the_command_says(forked: ForkedDoctor, tmp_path: Path, words: str, code: int) -> None:
    (tmp_path / "jobs.py").write_text(BROKEN)
    its, mine = (call(*words.split(), cwd=tmp_path, extra={"FORCE_COLOR": "1"}) for call in (run, forked.run))
    assert its.returncode == code
    assert vars(mine) == vars(its)
