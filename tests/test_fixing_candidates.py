"""Which repairs are made, of those that the findings offer."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from doctor.checks.init_race import init_race
from doctor.commands.fix import nothing_to_repair
from doctor.diagnosis import diagnose
from doctor.fixing import candidates
from doctor.model import CheckResult, Finding, Run, Status, Target
from doctor.source.index import Source
from tests.example_runs import BUILT_INS


@pytest.fixture
def race(tmp_path: Path) -> Run:
    """A run with one finding, whose recommended repair is a person's, and whose second one is not."""
    for path, text in init_race.bad[0].files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    findings = tuple(one for one in init_race.detect(Source.read(tmp_path)) if isinstance(one, Finding))
    results = (CheckResult("INI001", "init-race", "source", Status.FAIL, findings),)
    return Run("1", "0", datetime.now(UTC), 0.0, Target("here", str(tmp_path)), results, diagnose(results, (), None))


def test_what_is_recommended_to_a_person_is_left_to_the_person(race: Run) -> None:
    assert candidates(race, BUILT_INS.fixes) == []


@pytest.mark.parametrize("code", ["INI001", "INI"])
def test_naming_the_code_asks_for_the_first_repair_that_is_not_a_persons(race: Run, code: str) -> None:
    (candidate,) = candidates(race, BUILT_INS.fixes, [code])
    assert candidate.option.title.startswith("B: await `_ensure_initialized_async`")
    assert candidate.fix.name == "await-initialiser"
    assert candidates(race, BUILT_INS.fixes, ["TSK"]) == []


def test_nothing_to_repair_names_the_command_that_makes_what_must_be_named(race: Run) -> None:
    said = nothing_to_repair(race, ())
    assert said.startswith("nothing to repair that is safe; `doctor fix INI001 --unsafe-fixes` makes: B: await")
    assert nothing_to_repair(race, ["TSK"]) == "nothing to repair: no finding of TSK has a repair that doctor can make"
