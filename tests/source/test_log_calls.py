"""Every call of a logger gives the text that it writes, whatever way it is filled in."""

from pathlib import Path

import pytest

from doctor.source.log_calls import LogCallSite, read_log_calls

FORMS = [
    ('logging.info("plain")', "plain"),
    ('logger.warning("a %s b %d%%", x, y)', "a {} b {}%"),
    ('logger.error(f"a {x!r} b {y:.2f}")', "a {} b {}"),
    ('logger.error("a {} b {name}".format(x, name=y))', "a {} b {}"),
    ('logger.error("a %s b" % x)', "a {} b"),
    ('logger.error("a " + x + " b")', "a {} b"),
    ('logger.error("a "\n    "b")', "a b"),
    ('self.log.exception("a %(name)s", values)', "a {}"),
    ("logger.critical(TEXT)", "known"),
    ("logger.error(error)", "{}"),
    ('logger.log(logging.ERROR, "a %s", x)', "a {}"),
    ('logging.getLogger("x").debug("deep")', "deep"),
    ('logger.info("100% of {x}")', "100% of {x}"),
]


def calls(folder: Path, text: str, head: str = "import logging\n") -> tuple[LogCallSite, ...]:
    (folder / "app.py").write_text(f'{head}logger = logging.getLogger(__name__)\nTEXT = "known"\n\n\n{text}\n')
    return read_log_calls(folder)


@pytest.mark.parametrize("call, template", FORMS, ids=[template for _, template in FORMS])
def test_a_call_gives_its_template(tmp_path: Path, call: str, template: str) -> None:
    (found,) = calls(tmp_path, f"def run(self, x, y):\n    {call}")
    assert (found.template, found.function, found.module) == (template, "run", "app")


def test_a_choice_gives_a_template_for_each_text(tmp_path: Path) -> None:
    found = calls(tmp_path, 'def run(x):\n    logger.info("up" if x else "down %s", x)')
    assert [one.template for one in found] == ["up", "down {}"]


def test_loguru_fills_in_braces_and_loses_the_rest(tmp_path: Path) -> None:
    text = (
        'logger.info("a {} b {name}", x, name=y)\nlogger.bind(z=1).warning("not found: %s", x)\n'
        'logger.info("{x} without arguments")'
    )
    found = calls(tmp_path, text, "import logging\nfrom loguru import logger as logger\n")
    assert [(one.template, one.lost) for one in found] == [
        ("a {} b {}", False),
        ("not found: %s", True),
        ("{x} without arguments", False),
    ]


def test_what_is_no_logger_is_left_out(tmp_path: Path) -> None:
    assert calls(tmp_path, 'math.log(3)\nmessages.error("x")\nprint("x")\nlogger.info()') == ()


def test_a_file_that_does_not_parse_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("logger.info('x'\n")
    assert len(calls(tmp_path, 'logger.info("x")')) == 1
