"""The placeholders of a message change and nothing else."""

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doctor.api import Finding, Source
from doctor.checks.printf_arguments_to_loguru import printf_arguments_to_loguru
from doctor.fix import FixContext, Limits, NothingToDoError, RefusedError
from doctor.fixes.loguru_arguments import LOGURU_ARGUMENTS, nearest, rewritten

BEFORE = b'\xef\xbb\xbffrom loguru import logger\r\n\r\nlogger.info( "no %s after %d" , x, 3)  # y\r\n\tx = "%s"\r\n'


def test_only_the_placeholders_of_the_named_call_change() -> None:
    content = BEFORE.replace(b"\tx", b"x")
    assert rewritten(content, 3) == content.replace(b"no %s after %d", b"no {} after {}")


IMPORT = b"from loguru import logger\n"


def test_a_message_in_several_pieces_is_rewritten_piece_by_piece() -> None:
    content = IMPORT + b'logger.info(\n    "no %s "\n    "after %d",\n    name,\n    3,\n)\n'
    assert rewritten(content, 2) == IMPORT + b'logger.info(\n    "no {} "\n    "after {}",\n    name,\n    3,\n)\n'


def test_other_calls_of_the_line_are_left_alone() -> None:
    others = b'; print("%s", x); logging.info("%s", x); logger.info("%s %5d", x, y); log("%s", x)\n'
    content = IMPORT + b'logger.info("%s", shown("%s", x))' + others
    assert rewritten(content, 2) == IMPORT + b'logger.info("{}", shown("%s", x))' + others


@pytest.mark.parametrize(
    "content",
    [
        b'logger.info("no {}", name)\n',
        b'logger.info("no %s")\n',
        b'logger.info("%s {x}", 1)\n',
        b'logger.info("%s }", 1)\n',
        b'logger.info("100%% %s", 1)\n',
        b'logger.bind("%s", 1)\n',
        b"x = 1\n",
        b"",
    ],
)
def test_where_nothing_is_to_be_done_nothing_is_done(content: bytes) -> None:
    with pytest.raises(NothingToDoError):
        rewritten(IMPORT + content, 2)


def test_a_file_that_does_not_parse_is_refused() -> None:
    with pytest.raises(RefusedError):
        rewritten(b"def", 1)


@given(st.lists(st.sampled_from(["%s", "%d", "text ", "é", "\\n"]), max_size=8))
def test_a_second_time_changes_nothing(parts: list[str]) -> None:
    count = sum(part in ("%s", "%d") for part in parts)
    content = IMPORT + f'logger.info("{"".join(parts)}"{", x" * count})\n'.encode()
    try:
        after = rewritten(content, 2)
    except NothingToDoError:
        assert not count
        return
    ast.parse(after)
    assert b"%" not in after
    assert after.count(b"{}") == count
    with pytest.raises(NothingToDoError):
        rewritten(after, 2)


def test_a_line_that_another_repair_has_moved_is_found_by_its_text() -> None:
    content = IMPORT + b'# new\n    logger.info("%s", x)\nx = 1\nlogger.info("%s", x)\n'
    assert nearest(content, 2, 'logger.info("%s", x)') == 3
    assert nearest(content, 5, 'logger.info("%s", x)') == 5
    assert nearest(content, 4, "logger.info(<redacted>)") == 4


async def test_a_plan_follows_its_line(tmp_path: Path) -> None:
    text = 'from loguru import logger\n\nlogger.info("%s", 1)\n'
    (tmp_path / "app.py").write_text(text)
    source = Source.read(tmp_path)
    (finding,) = (one for one in printf_arguments_to_loguru.detect(source) if isinstance(one, Finding))
    (tmp_path / "app.py").write_text(f"import os\nimport re\n{text}")  # what another repair brought along
    made = await LOGURU_ARGUMENTS.plan(FixContext(finding, finding.fixes[0].arguments, Limits(), {"source": source}))
    assert made.summary == "write {} in place of % in app.py:5"
    assert '+logger.info("{}", 1)' in made.preview
