"""What is looked at before parsing misses nothing that the check would find."""

from __future__ import annotations

import pytest

from doctor.checks import double_initialisation, init_race
from doctor.source.start_glance import may_take_a_start_for_done

BAD = [
    text.encode()
    for check in (init_race.init_race, double_initialisation.double_initialisation)
    for example in check.bad
    for text in example.files.values()
]


@pytest.mark.parametrize("content", BAD)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_every_bad_example_is_worth_a_parse(content: bytes, end: bytes) -> None:
    assert may_take_a_start_for_done(content.replace(b"\n", end))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"import asyncio\nasyncio.create_task(main())\n",
        b"class A:\n    ready = False\n    def f(self):\n        Thread(target=self.g).start()\n    def g(self): ...\n",
        b"def f():\n    pool.submit(g)\n    if x:\n        return\n",
        b"def start():\n    create_task(g())\n\nasync def f(self):\n    start()\n    await elsewhere()\n",
    ],
)
def test_a_start_of_which_nothing_is_asked_is_not(content: bytes) -> None:
    assert not may_take_a_start_for_done(content)
