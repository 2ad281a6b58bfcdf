"""What a traceback says: the chain with its root first, the frames of the application."""

from doctor.triage.tracebacks import raised

CHAIN = """\
Traceback (most recent call last):
  File "/usr/lib/python3.11/asyncio/tasks.py", line 5, in wait
    x
  File "/srv/app/tasks/scoring.py", line 15, in score
    run()
ValueError: bad
value

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/srv/app/main.py", line 3, in <module>
    main()
    ^^^^^^
app.errors.Failed
""".splitlines()


def test_the_root_of_a_chain_comes_first() -> None:
    root, reported = raised(CHAIN)
    assert (root.type, root.message) == ("ValueError", "bad\nvalue")
    assert (reported.type, reported.message) == ("app.errors.Failed", "")
    assert [frame.place for frame in root.app_frames] == ["tasks.scoring:score"]
    assert [frame.function for frame in root.frames] == ["wait", "score"]


def test_a_traceback_that_is_written_twice_counts_once() -> None:
    assert len(raised([*CHAIN, "", *CHAIN])) == 2


def test_the_values_of_variables_are_no_exceptions() -> None:
    lines = """\
Traceback (most recent call last):

> File "/srv/app/x.py", line 3, in <module>
    f(key)
    │ └ 'secret'
    └ <function f at 0x7f>

  File "/srv/app/x.py", line 2, in f
    raise KeyError(key)
                   └ 'secret'

KeyError: 'secret'""".splitlines()
    (found,) = raised(lines)
    assert found.type == "KeyError"
    assert [frame.line for frame in found.frames] == [3, 2]


def test_the_exceptions_of_a_group_are_found() -> None:
    lines = """\
  + Exception Group Traceback (most recent call last):
  |   File "/srv/app/x.py", line 3, in <module>
  |     raise ExceptionGroup("several", [ValueError(1)])
  | ExceptionGroup: several (1 sub-exception)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "/srv/app/x.py", line 2, in f
    |     raise ValueError(1)
    | ValueError: 1
    +------------------------------------""".splitlines()
    assert [one.type for one in raised(lines)] == ["ExceptionGroup", "ValueError"]


def test_a_traceback_that_is_cut_off_says_what_it_can() -> None:
    (found,) = raised(CHAIN[:4])
    assert found.type == ""
    assert len(found.frames) == 2


def test_no_traceback_is_none() -> None:
    assert raised(["ValueError: x", "", "  File"]) == []
