"""The mutations change what they say, leave Python behind, and break what the doctor is to find."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from doctor.source.facts import Wrapping
from doctor.source.index import Source
from tests.corpus.mutants import draw_registrations, draw_statements, text_of
from tests.corpus.mutations import (
    REGISTRATION_KINDS,
    WRAPPERS,
    Edit,
    Kind,
    edited,
    registrar_lost,
    registrar_moved,
    swapped,
    wrapper_above,
)
from tests.corpus.registrations import Reading, read
from tests.corpus.sources import Package
from tests.corpus.statements import statements

TASKS = '''\
"""Tasks."""
from celery import shared_task

from .wrap import timed


@shared_task(
    bind=True,
)
@timed
def clean(self):
    pass


@shared_task
def idle():
    pass


def plain():
    pass
'''
WRAP = """\
from functools import wraps


def timed(function):
    @wraps(function)
    def run(*args):
        return function(*args)

    return run
"""
CALLS = """\
import jwt
from loguru import logger

from .tasks import clean


async def start(task, name):
    clean.delay()
    await task.kiq(name)
    logger.info(f"started {name}")


def user(token, key):
    claims = jwt.decode(token, key, algorithms=["RS256"])
    return claims["sub"]


NEAREST = '''
    SELECT id FROM notes
    ORDER BY embedding <=> %s
    LIMIT 5
'''
"""


@pytest.fixture
def package(tmp_path: Path) -> Package:
    folder = tmp_path / "shop-1.0"
    (folder / "shop").mkdir(parents=True)
    files = {"__init__": "", "tasks": TASKS, "wrap": WRAP, "calls": CALLS}
    for name, text in files.items():
        (folder / "shop" / f"{name}.py").write_text(text, encoding="utf-8")
    return Package("shop", "1.0", folder)


@pytest.fixture
def reading(package: Package) -> Reading:
    return read(package)


def test_edits_are_applied_from_the_end_so_that_lines_keep_their_numbers() -> None:
    edits = [Edit(1, 1, ("zero",)), Edit(2, 3, ("TWO", "2")), Edit(3, 4, ())]
    assert edited("one\ntwo\nthree\nfour\n", edits) == "zero\none\nTWO\n2\nfour\n"


def test_the_plain_reading_finds_the_registrations_and_who_is_enqueued(reading: Reading) -> None:
    assert [(one.name, one.registrar, len(one.decorators)) for one in reading.registrations] == [
        ("clean", 0, 2),
        ("idle", 0, 1),
    ]
    assert [reading.is_enqueued(one) for one in reading.registrations] == [True, False]


def test_a_package_without_a_queue_has_no_registrations(package: Package) -> None:
    (package.folder / "shop" / "tasks.py").write_text("@client.task\ndef clean(): ...\n", encoding="utf-8")
    assert read(package).registrations == ()


@pytest.mark.parametrize("way", WRAPPERS)
def test_each_wrapper_stands_directly_above_the_registrar_and_is_opaque(reading: Reading, way: str) -> None:
    mutation = wrapper_above(reading, reading.registrations[0], way)
    write(reading.package, mutation.path, mutation.edits)
    (task,) = (task for task in Source.read(reading.package.folder).tasks() if task.name == "clean")
    assert [use.wrapping for use in task.above_registrar] == [Wrapping.OPAQUE]


def test_a_swap_needs_a_wrapper_below_the_registrar(reading: Reading) -> None:
    clean, idle = reading.registrations
    assert swapped(reading, idle, TASKS) is None
    mutation = swapped(reading, clean, TASKS)
    assert mutation is not None
    after = edited(TASKS, mutation.edits)
    assert "@timed\n@shared_task(\n    bind=True,\n)\ndef clean" in after


def test_a_decorator_that_is_no_wrapper_is_not_swapped(package: Package) -> None:
    (package.folder / "shop" / "wrap.py").write_text("def timed(function):\n    return function\n", encoding="utf-8")
    clean = read(package).registrations[0]
    assert swapped(read(package), clean, TASKS) is None


def test_a_moved_registrar_stands_above_a_helper(reading: Reading) -> None:
    mutation = registrar_moved(reading.registrations[1])
    tree = ast.parse(edited(TASKS, mutation.edits))
    decorated = {node.name: len(node.decorator_list) for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert decorated["idle"] == 0
    assert [count for name, count in decorated.items() if name.startswith("_prepared")] == [1]


def test_a_lost_registrar_leaves_every_line_where_it_was(reading: Reading) -> None:
    clean = reading.registrations[0]
    after = edited(TASKS, registrar_lost(clean).edits)
    (node,) = (node for node in ast.parse(after).body if isinstance(node, ast.FunctionDef) and node.name == "clean")
    assert (node.decorator_list, node.lineno) == ([], clean.line)


def test_each_kind_of_statement_is_broken_into_python(reading: Reading) -> None:
    found = {
        one.kind: edited(CALLS, one.edits)
        for one in statements(reading, lambda path: text_of(reading.package, path))
        if one.path == "shop/calls.py"
    }
    assert set(found) == {kind for kind in Kind if kind not in REGISTRATION_KINDS}
    for text in found.values():
        ast.parse(text)
    assert "\n    task.kiq(name)\n" in found[Kind.UNAWAITED]
    assert "    try:\n        clean.delay()\n    except Exception as error:" in found[Kind.SWALLOWED]
    assert "logger.info('started %s', name)" in found[Kind.PRINTF]
    assert 'algorithms=["RS256", "HS256"]' in found[Kind.MIXED]
    assert "<=> %s DESC\n    LIMIT 5" in found[Kind.TURNED]
    assert "claims = jwt.decode(token, options={'verify_signature': False})" in ast.unparse(
        ast.parse(found[Kind.UNVERIFIED])
    )


def test_one_seed_draws_the_same_places(reading: Reading) -> None:
    assert draw_registrations([reading], seed=1) == draw_registrations([reading], seed=1)
    assert draw_statements([reading], seed=1) == draw_statements([reading], seed=1)
    assert {mutation.function for _, mutation in draw_registrations([reading])} == {"clean", "idle"}


def write(package: Package, path: str, edits: tuple[Edit, ...]) -> None:
    (package.folder / path).write_text(edited(text_of(package, path), edits), encoding="utf-8")
