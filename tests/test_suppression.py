"""What a comment silences leaves the results and stays in the record; a comment that silences nothing is reported."""

import json
from datetime import date
from pathlib import Path

import pytest

from tests.forked_doctor import run

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
    assert symptoms(document, "DOC011") == [
        "the comment in tasks.py:7 is not usable as it is: its day is over (2020-01-31)"
    ]


def test_without_a_reason_a_comment_silences_nothing(tmp_path: Path) -> None:
    document = checked(tmp_path, on_decorator="  # doctor: ignore[TSK001]")
    assert symptoms(document, "TSK001")
    assert symptoms(document, "DOC011") == ["the comment in tasks.py:7 is not usable as it is: it gives no reason"]


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


def test_several_codes_and_a_prefix_in_one_comment(tmp_path: Path) -> None:
    document = checked(tmp_path, on_definition='  # doctor: ignore[LOG001, TSK] reason="x"')
    assert symptoms(document, "TSK001") == []
    assert symptoms(document, "DOC011") == [
        "the comment in tasks.py:9 is not usable as it is: nothing of LOG001 is found there"
    ]


def test_two_comments_for_one_finding_are_both_used(tmp_path: Path) -> None:
    document = checked(tmp_path, on_decorator=USABLE, on_definition=USABLE)
    assert document["findings"] == []
    assert len(document["suppressions"]) == 1


def test_a_comment_on_a_class_holds_for_what_is_in_it(tmp_path: Path) -> None:
    text = TASKS.format(on_decorator="", on_definition="").partition("\n\n\n")
    inside = text[2].partition("\n\n\n")[0].replace("\n", "\n    ")
    (tmp_path / "tasks.py").write_text(f"{text[0]}\n\n\n@mark\nclass Jobs:{USABLE}\n    {inside}\n")
    document = json.loads(run("check", "--offline", "--format", "json", cwd=tmp_path).stdout)
    assert symptoms(document, "TSK001") == []
    assert [one["finding"]["code"] for one in document["suppressions"]] == ["TSK001"]


BROKER = "from taskiq_nats import NatsBroker\n\nbroker = NatsBroker(\n    'nats://localhost',{comment}\n){behind}\n"
FOR_BROKER = '  # doctor: ignore[NAT003] reason="one worker"'


@pytest.mark.parametrize("places", [{"comment": FOR_BROKER, "behind": ""}, {"comment": "", "behind": FOR_BROKER}])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_comment_anywhere_in_a_statement_holds_for_it_with_any_line_ends(
    tmp_path: Path, places: dict[str, str], end: str
) -> None:
    (tmp_path / "broker.py").write_bytes(BROKER.format(**places).replace("\n", end).encode())
    document = json.loads(run("check", "--offline", "--format", "json", cwd=tmp_path).stdout)
    assert document["findings"] == []
    assert len(document["suppressions"]) == 1


def test_a_text_that_looks_like_a_comment_is_none(tmp_path: Path) -> None:
    text = TASKS.format(on_decorator="", on_definition=f"\n    '''\n{USABLE}\n    '''")
    (tmp_path / "tasks.py").write_text(text.replace("@retry\n", f"@retry(x='{USABLE}')\n".replace('"', '\\"')))
    document = json.loads(run("check", "--offline", "--format", "json", cwd=tmp_path).stdout)
    assert symptoms(document, "TSK001")
    assert symptoms(document, "DOC011") == []
