"""What the check decorator accepts, and what it says about the rest."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import doctor.checks
import doctor.fixes
from doctor.api import PROBE
from doctor.check import AREAS, OPT_IN, PAGE_SECTIONS, RESOURCE_NAMES, Check, InvalidCheckError, check, checks_in
from doctor.model import Applicability, Finding, Severity
from tests.example_runs import BUILT_INS

PAGE = "Something is wrong.\n\n" + "\n\n".join(f"## {section}\nText." for section in PAGE_SECTIONS)
_numbers = count()


@pytest.fixture
def module() -> Iterator[ModuleType]:
    made = ModuleType(f"check_module_{next(_numbers)}", PAGE)
    sys.modules[made.__name__] = made
    yield made
    del sys.modules[made.__name__]


def declare(module: ModuleType, code: str = "TSK900", name: str = "two-words", **fields: Any) -> Check:
    def detect(source: object) -> Iterator[Finding]:
        return iter(())

    return declare_function(module, detect, code, name, **fields)


def declare_function(
    module: ModuleType, detect: Callable[..., Any], code: str = "TSK900", name: str = "two-words", **fields: Any
) -> Check:
    detect.__module__ = module.__name__
    return check(code, name, **{"severity": Severity.ERROR, "tags": ["static"], **fields})(detect)


def test_a_check_is_made_of_its_function_and_its_modules_page(module: ModuleType):
    made = declare(module, after=["TSK001"], timeout=2.0, tags=["live", "slow"], guards="source")
    assert (made.code, made.name, made.summary, made.page) == ("TSK900", "two-words", "Something is wrong", PAGE)
    assert (made.needs, made.after, made.timeout, made.guards) == (("source",), ("TSK001",), 2.0, "source")
    assert made.tags == {"live", "slow"}
    assert made.area == "source"


def test_a_check_of_an_unknown_family_has_an_area_of_its_own(module: ModuleType):
    assert declare(module, code="ZZZ001").area == "zzz"


def test_a_check_may_ask_for_every_resource_and_for_none(module: ModuleType):
    def everything(
        source, database, nats, models, examination, auth, application, token, environment, chain, texts, queries
    ):
        return iter(())

    assert set(declare_function(module, everything).needs) == RESOURCE_NAMES
    assert declare_function(module, lambda: iter(())).needs == ()


def test_a_parameter_with_a_default_is_an_optional_need(module: ModuleType):
    def detect(database, nats=None):
        return iter(())

    made = declare_function(module, detect)
    assert (made.needs, made.optional) == (("database", "nats"), {"nats"})


@pytest.mark.parametrize("code", ["", "TSK1", "tsk001", "TSK0011", "TS001", "TSK001 ", "TSK001\n", "ÄÖÜ001", "TSK٠٠١"])
def test_a_code_that_is_none_is_refused(module: ModuleType, code: str):
    with pytest.raises(InvalidCheckError, match="three capital letters and three digits, such as TSK001"):
        declare(module, code=code)


@pytest.mark.parametrize(
    "name", ["", "word", "Two-Words", "two_words", "two--words", "-two-words", "two-words-", "two words"]
)
def test_a_name_that_is_no_kebab_is_refused(module: ModuleType, name: str):
    with pytest.raises(InvalidCheckError, match="TSK900: name .* must be kebab-case"):
        declare(module, name=name)


def test_a_parameter_that_nothing_provides_is_refused_with_those_that_exist(module: ModuleType):
    def detect(source, redis):
        return iter(())

    with pytest.raises(InvalidCheckError, match=r"unknown parameter 'redis'; choose from .*'database'"):
        declare_function(module, detect)


@pytest.mark.parametrize(
    "page",
    [
        None,
        "",
        "Only a title.",
        *(PAGE.replace(f"## {section}", "## Else") for section in PAGE_SECTIONS),
        PAGE.replace("What it finds", "x").replace("Why it hurts", "What it finds").replace("## x", "## Why it hurts"),
    ],
)
def test_a_page_without_its_five_sections_in_order_is_refused(module: ModuleType, page: str | None):
    module.__doc__ = page
    with pytest.raises(InvalidCheckError, match="the module docstring needs the sections What it finds, Why it hurts"):
        declare(module)


def test_the_checks_of_modules_come_in_the_order_of_their_codes(module: ModuleType):
    later, earlier = declare(module, code="TSK901"), declare(module, code="TSK900")
    module.later, module.earlier, module.other = later, earlier, 5  # type: ignore[attr-defined]
    assert checks_in([module]) == [earlier, later]


# The built-in checks.

BUILT_IN = list(BUILT_INS.checks.values())
CHECK_MODULES = {
    module.name: importlib.import_module(f"doctor.checks.{module.name}")
    for module in pkgutil.iter_modules(doctor.checks.__path__)
}


def test_every_module_of_the_folder_holds_one_check_named_after_its_file():
    for name, module in CHECK_MODULES.items():
        checks = checks_in([module])
        assert len(checks) == 1, name
        assert checks[0].code in BUILT_INS.checks
    assert len(BUILT_IN) == len(CHECK_MODULES)


def test_codes_and_names_are_unique_and_every_family_has_an_area():
    assert len({each.name for each in BUILT_IN}) == len(BUILT_IN)
    assert {each.code[:3] for each in BUILT_IN} <= set(AREAS)


@pytest.mark.parametrize("each", BUILT_IN, ids=lambda each: each.code)
def test_a_built_in_check_is_complete(each: Check):
    assert each.tags - {OPT_IN, PROBE, "slow"} in ({"static"}, {"live"})
    assert "static" in each.tags or set(each.needs) != {"source"}
    assert 0 < each.timeout <= 30
    assert each.guards is None or each.guards in each.needs
    assert set(each.after) <= set(BUILT_INS.checks)
    assert each.code not in each.after


@pytest.mark.parametrize("each", BUILT_IN, ids=lambda each: each.code)
def test_the_mechanisms_of_a_check_start_with_it_and_lead_to_codes_that_exist(each: Check):
    for mechanism in each.mechanisms:
        assert mechanism.cause == each.code
        assert mechanism.effect in BUILT_INS.checks
        assert mechanism.effect != mechanism.cause
        assert mechanism.how
        assert mechanism.how == mechanism.how.strip().rstrip(".")
        assert mechanism.join


def test_no_two_checks_guard_the_same_resource():
    guarded = [each.guards for each in BUILT_IN if each.guards]
    assert sorted(guarded) == sorted(set(guarded))


def test_checks_do_not_wait_for_one_another_in_a_circle():
    waiting = {each.code: set(each.after) for each in BUILT_IN}
    while free := {code for code, after in waiting.items() if not after & set(waiting)}:
        waiting = {code: after for code, after in waiting.items() if code not in free}
    assert waiting == {}


def fix_options() -> Iterator[tuple[str, ast.Call]]:
    for name, module in CHECK_MODULES.items():
        for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "FixOption":
                yield name, node


def test_every_fix_that_a_check_offers_exists_or_is_left_to_a_person():
    offered = set()
    for name, call in fix_options():
        keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        fix = ast.literal_eval(keywords["fix"])
        offered.add(fix)
        if fix == "manual":
            assert keywords["applicability"].endswith(Applicability.MANUAL.name), name
        else:
            assert fix in BUILT_INS.fixes, name
            assert "MANUAL" not in keywords["applicability"], name
    assert offered - {"manual"} == set(BUILT_INS.fixes)


def test_every_fix_has_a_page_and_a_title():
    for fix in BUILT_INS.fixes.values():
        assert fix.title
        assert fix.page.strip(), fix.name
        assert set(fix.needs) <= {*RESOURCE_NAMES, "index_parameters"}
