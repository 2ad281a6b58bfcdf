"""What a comment silences leaves the results and stays in the record; a comment that silences nothing is reported."""

import json
from datetime import date
from pathlib import Path

import pytest

from tests.command_line import run

TASKS = """\
from taskiq import InMemoryBroker
from tenacity import retry

broker = InMemoryBroker()


@retry{on_decorator}
@broker.task
async def score():{on_definition}
    pass


async def start():
    await score.kiq()
"""


def checked(folder: Path, *, on_decorator: str = "", on_definition: str = "", select: str = "ALL") -> dict:
    (folder / "tasks.py").write_text(TASKS.format(on_decorator=on_decorator, on_definition=on_definition))
    done = run("check", "--offline", "--format", "json", "--select", select, cwd=folder)
    document: dict = json.loads(done.stdout)
    assert done.returncode == document["exit_code"]
    return document


def symptoms(document: dict, code: str) -> list[str]:
    return [finding["symptom"] for finding in document["findings"] if finding["code"] == code]


USABLE = '  # doctor: ignore[TSK001] reason="swapped next week" until=2999-12-31'


@pytest.mark.parametrize("place", ["on_decorator", "on_definition"])
def test_a_comment_on_the_head_of_a_function_silences_its_findings(tmp_path: Path, place: str) -> None:
    document = checked(tmp_path, **{place: USABLE})
    assert document["exit_code"] == 0
    assert document["checks"]["TSK001"]["status"] == "pass"
    assert document["findings"] == []
    (silenced,) = document["suppressions"]
    assert silenced["finding"]["code"] == "TSK001"
    assert silenced["origin"] == f"tasks.py:{7 if place == 'on_decorator' else 9}"
    assert (silenced["reason"], silenced["until"]) == ("swapped next week", "2999-12-31")
    assert silenced["finding"]["fingerprint"] not in json.dumps(document["diagnosis"])


def test_what_is_silenced_is_shown(tmp_path: Path) -> None:
    checked(tmp_path, on_decorator=USABLE)
    shown = " ".join(run("check", "--offline", cwd=tmp_path).stdout.split())
    assert "IGNORED TSK001" in shown
    assert "swapped next week, until 2999-12-31" in shown


def test_after_its_day_a_comment_silences_nothing_and_is_reported(tmp_path: Path) -> None:
    document = checked(tmp_path, on_decorator='  # doctor: ignore[TSK001] reason="soon" until=2020-01-31')
    assert symptoms(document, "TSK001")
    assert symptoms(document, "DOC011") == ["the comment in tasks.py:7 ignores nothing: its day is over (2020-01-31)"]


def test_without_a_reason_a_comment_silences_nothing(tmp_path: Path) -> None:
    document = checked(tmp_path, on_decorator="  # doctor: ignore[TSK001]")
    assert symptoms(document, "TSK001")
    assert symptoms(document, "DOC011") == ["the comment in tasks.py:7 ignores nothing: it gives no reason"]


def test_a_comment_for_another_code_or_place_is_unused(tmp_path: Path) -> None:
    document = checked(
        tmp_path,
        on_decorator='  # doctor: ignore[TSK002] reason="x"',
        on_definition='  # doctor: ignore[LOG] reason="x"',
    )
    assert symptoms(document, "TSK001")
    assert len(symptoms(document, "DOC011")) == 2


def test_a_comment_whose_check_was_not_asked_is_not_called_unused(tmp_path: Path) -> None:
    document = checked(tmp_path, on_definition='  # doctor: ignore[EMB001] reason="x"')
    assert symptoms(document, "DOC011") == []


def test_a_silenced_cause_is_not_repaired(tmp_path: Path) -> None:
    checked(tmp_path, on_decorator=USABLE)
    before = (tmp_path / "tasks.py").read_bytes()
    done = run("fix", "--yes", cwd=tmp_path)
    assert (tmp_path / "tasks.py").read_bytes() == before
    assert "nothing to repair" in done.stderr


def test_the_day_itself_still_counts(tmp_path: Path) -> None:
    document = checked(tmp_path, on_decorator=f'  # doctor: ignore[TSK001] reason="x" until={date.max.isoformat()}')
    assert symptoms(document, "TSK001") == []
