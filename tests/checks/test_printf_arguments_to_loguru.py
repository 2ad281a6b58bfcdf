"""LOG001 offers its repair as safe only where `{}` means the same as every placeholder."""

from __future__ import annotations

from pathlib import Path

import pytest

from doctor.api import Applicability, Finding, Source
from doctor.checks.printf_arguments_to_loguru import printf_arguments_to_loguru


@pytest.mark.parametrize(
    ("call", "applicability"),
    [
        ("'%s and %d', x, y", Applicability.SAFE),
        ("'100%, %s', x", Applicability.SAFE),
        ("'%s', x, exception=True", Applicability.SAFE),
        ("'%5d', x", Applicability.MANUAL),
        ("'%(x)s', x", Applicability.MANUAL),
        ("'%s and %s', x", Applicability.MANUAL),
        ("'%s', *values", Applicability.MANUAL),
        ("'100%% of %s', x", Applicability.MANUAL),
        ("'%s}', x", Applicability.MANUAL),
    ],
)
def test_plain_placeholders_are_safe_and_all_others_are_left_to_you(
    tmp_path: Path, call: str, applicability: Applicability
) -> None:
    (tmp_path / "app.py").write_text(f"from loguru import logger\nlogger.info({call})\n")
    (finding,) = (one for one in printf_arguments_to_loguru.detect(Source.read(tmp_path)) if isinstance(one, Finding))
    assert finding.fixes[0].applicability is applicability


def test_an_import_inside_the_function_around_counts(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "import logging\nlogger = logging.getLogger()\ndef load(x):\n    from loguru import logger\n"
        "    def inner():\n        logger.info('%s', x)\n    return inner\n"
    )
    assert [one.resource.line for one in printf_arguments_to_loguru.detect(Source.read(tmp_path))] == [6]


@pytest.mark.parametrize(
    "code",
    [
        "import logging\nfrom loguru import logger\ndef load(x, logger: logging.Logger):\n    logger.info('%s', x)\n",
        "from loguru import logger\ndef load(x):\n    logger = x.logger\n    logger.info('%s', x)\n",
        "try: from loguru import logger\nexcept ImportError: logger = logging.getLogger()\nlogger.info('%s', 1)\n",
    ],
)
def test_another_logger_of_the_same_name_is_silent(tmp_path: Path, code: str) -> None:
    (tmp_path / "app.py").write_text(code)
    assert list(printf_arguments_to_loguru.detect(Source.read(tmp_path))) == []


def test_a_line_is_known_again_when_it_has_moved_and_told_from_one_that_reads_the_same(tmp_path: Path) -> None:
    text = "from loguru import logger\n\n\ndef load(x):\n    logger.info('%s', x)\n    logger.info('%s', x)\n"
    before = fingerprints(tmp_path, text)
    assert len(set(before)) == 2
    assert fingerprints(tmp_path, f'"""A docstring above."""\n\n{text}') == before


def fingerprints(root: Path, text: str) -> list[str]:
    (root / "app.py").write_text(text)
    return [one.fingerprint for one in printf_arguments_to_loguru.detect(Source.read(root)) if isinstance(one, Finding)]
