"""Lets the isolated reader import installed libraries, on the few occasions when it needs one."""

from __future__ import annotations

import sys


def use_libraries() -> None:
    """Make installed libraries importable in an interpreter that was started with ``-S``.

    It is isolated (``-I``) as well, so that neither the current folder nor ``PYTHONPATH`` can put in a module of the
    target.
    """
    if sys.flags.no_site and "site" not in sys.modules:
        import site

        site.main()
