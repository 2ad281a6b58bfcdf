"""Many texts are looked for at once, and what is found is what each search of its own would find."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from doctor.source.collectors import collectors
from doctor.source.glance import Glancer, Mentions, Place, imported_words
from doctor.source.needles import Needles

FEW = st.binary(min_size=1, max_size=4).map(lambda text: bytes(byte % 5 + 97 for byte in text))
MANY = st.binary(max_size=40).map(lambda text: bytes(byte % 5 + 97 for byte in text))


@given(st.lists(FEW, max_size=8), MANY)
def test_what_is_found_is_what_is_there(needles: list[bytes], content: bytes) -> None:
    assert Needles(needles).in_(content) == {needle for needle in needles if needle in content}


@given(st.lists(st.binary(min_size=1, max_size=6), max_size=8), st.binary(max_size=60))
def test_any_bytes_are_looked_for(needles: list[bytes], content: bytes) -> None:
    assert Needles(needles).in_(content) == {needle for needle in needles if needle in content}


def test_nothing_to_look_for_is_found_nowhere() -> None:
    assert Needles([]).in_(b"anything") == frozenset()


def test_a_glance_tells_what_registers_and_enqueues_from_what_looks_like_it() -> None:
    glancer = Glancer(collectors())
    for line in (
        b"@broker.task",
        b"@broker.task(retry=3)",
        b"@broker.task ( )",
        b"@broker.task\rasync def job(): ...\r",
        b"task = broker.task  # mine",
        b"await job.kiq()",
    ):
        assert glancer.at(line + b"\n").has_task, line
    for line in (b"self.task_id = 1", b"from app.tasks import x", b"print(self.task, 1)", b"import inspect"):
        assert not glancer.at(line + b"\n").has_task, line


def test_the_words_of_imports_are_found_however_they_are_written() -> None:
    text = b"""\
import a.b, c as d
from .e.f import (g,  # why
    h)
from i import j \\
    as k, l
if True:
    from m import(n)
o = 1
"""
    assert imported_words(text) == {*b"a b c as d e f g why h i j k l m n".split()} | {b"from"}


def test_a_name_that_holds_the_word_import_is_one_word() -> None:
    text = b"from .importer import (LoadError, import_orders,\n    reimport)\nfrom a import b\n"
    assert imported_words(text) >= {b"importer", b"import_orders", b"reimport", b"a", b"b"}


def test_the_words_of_a_long_line_of_data_are_not_those_of_an_import() -> None:
    words = b" ".join(b"word%d" % number for number in range(400))
    assert not imported_words(b"TEXT = '" + words + b" import jobs'\n")
    assert b"word399" not in imported_words(b"TEXT = 'import " + words + b"'\n")
    names = b", ".join(b"name%d" % number for number in range(400))
    assert b"name399" in imported_words(b"from jobs import (" + names + b")\n")


def test_a_file_mentions_a_function_when_it_imports_it_or_its_module() -> None:
    mentions = Mentions([(b"send", Place.of("app/queue/jobs.py"))])
    assert mentions.in_("app/main.py", b"from .queue import send\n")
    assert mentions.in_("app/queue/more.py", b"from . import send\n")
    assert mentions.in_("app/queue/more.py", b"from . import jobs\njobs.send()\n")
    assert mentions.in_("cli.py", b"import app.queue.jobs as j\nj.send()\n")
    assert mentions.in_("cli.py", b"from app.queue.jobs import *\nsend()\n")
    assert mentions.in_("cli.py", b"from app import queue\nqueue.jobs.send()\n")
    assert mentions.in_("cli.py", b"from app import send\n")
    assert not mentions.in_("cli.py", b"def send(): ...\njobs = 1\n")
    assert not mentions.in_("cli.py", b"from app.queue import jobs\n")


def test_what_another_package_calls_the_same_is_not_mentioned() -> None:
    mentions = Mentions([(b"run", Place.of("app/commands/cli.py"))])
    assert not mentions.in_("other/main.py", b"from subprocess import run\n")
    assert not mentions.in_("other/main.py", b"from click import cli\ncli.run()\n")


def test_the_package_of_a_function_is_its_module() -> None:
    mentions = Mentions([(b"send", Place.of("src/app/jobs/__init__.py"))])
    assert mentions.in_("cli.py", b"from app.jobs import send\n")
    assert mentions.in_("src/app/main.py", b"from .jobs import send\n")
    assert not mentions.in_("other/main.py", b"from mail import jobs\njobs.send()\n")
