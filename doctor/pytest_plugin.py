"""The pytest plugin: ``pytest --doctor`` makes a test of each check, and ``doctor_run`` is a run to assert things of.

A check that finds something at or above ``fail_on`` fails; one that cannot tell fails too; one that does not apply is
skipped. The project is examined once a session, when the first test needs it.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from doctor.model import CheckResult, Run


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--doctor`` and the settings."""
    group = parser.getgroup("doctor", "the health of the pipeline")
    group.addoption("--doctor", action="store_true", help="Make a test of each check of doctor.")
    parser.addini("doctor_profile", "Profile of doctor.toml for --doctor and doctor_run.", default="")
    parser.addini("doctor_select", "Codes or prefixes of checks (default: those of doctor.toml).", default="")


@pytest.fixture(scope="session")
def doctor_run(pytestconfig: pytest.Config) -> Run:
    """One examination of the project at pytest's root: a :class:`doctor.model.Run`."""
    return examination(pytestconfig).run


class Examination:
    """The checks of a project, and the one run of them."""

    def __init__(self, config: pytest.Config) -> None:
        from doctor.commands.examination import Selection, choose
        from doctor.commands.options import open_target
        from doctor.commands.output import registry

        self._root: Path = config.rootpath
        self._profile = str(config.getini("doctor_profile")) or None
        self._selection = Selection(select=tuple(shlex.split(str(config.getini("doctor_select")))))
        target = open_target(self._root, None, profile=self._profile)
        checks = choose(list(registry().checks.values()), self._selection, target)
        self.names = {check.code: check.name for check in checks}

    @cached_property
    def run(self) -> Run:
        """Examine the project."""
        from doctor.commands.examination import examine
        from doctor.commands.options import open_target
        from doctor.commands.output import Output

        target = open_target(self._root, None, profile=self._profile)
        return examine(target, self._selection, Output(quiet=True))


_EXAMINATION = pytest.StashKey[Examination]()


def examination(config: pytest.Config) -> Examination:
    """Return the examination of this session.

    Raises:
        pytest.UsageError: doctor.toml cannot be used, or the selection names no check.
    """
    import click

    if _EXAMINATION not in config.stash:
        try:
            config.stash[_EXAMINATION] = Examination(config)
        except click.ClickException as error:
            raise pytest.UsageError(f"doctor: {error.format_message()}") from error
    return config.stash[_EXAMINATION]


def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add the checks where ``--doctor`` asks for them."""
    if config.getoption("--doctor"):
        items += _items(session, config)


def _items(session: pytest.Session, config: pytest.Config) -> Iterator[pytest.Item]:
    for code, name in examination(config).names.items():
        yield CheckItem.from_parent(session, name=f"{code} {name}", code=code)


class UnhealthyError(Exception):
    """A check found something, or could not tell."""


class CheckItem(pytest.Item):
    """One check as a test."""

    def __init__(self, *, code: str, **others: Any) -> None:
        super().__init__(**others)
        self.code = code
        self.add_marker("doctor")

    def runtest(self) -> None:
        """Judge the check's result in the run."""
        from doctor.model import Status
        from doctor.verdict import fails_gate

        run = examination(self.config).run
        result = next(one for one in run.current if one.code == self.code)
        if result.status is Status.SKIP:
            pytest.skip(f"{result.blocked_by} did not pass" if result.blocked_by else result.reason)
        failing = [one for one in result.findings if fails_gate(one.severity, run.fail_on)]
        if failing or result.status is Status.UNKNOWN:
            raise UnhealthyError(_told(result, run))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *args: Any) -> Any:
        """Show what was found, without a stack."""
        return str(excinfo.value) if excinfo.errisinstance(UnhealthyError) else super().repr_failure(excinfo, *args)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Name the check."""
        return self.config.rootpath, None, f"doctor: {self.name}"


def _told(result: CheckResult, run: Run) -> str:
    from doctor.location import location_of

    lines = [f"could not tell: {result.reason}"] if result.reason else []
    for finding in result.findings:
        place = location_of(finding, run)
        lines += [f"{place.path}:{place.line}: {finding.severity}: {finding.symptom}", f"    cause: {finding.cause}"]
        lines += [f"    {evidence.source}  {evidence.text}" for evidence in finding.evidence]
    return "\n".join((*lines, f"doctor explain {result.code}"))


def pytest_configure(config: pytest.Config) -> None:
    """Name the mark of the checks: ``-m doctor``, ``-m 'not doctor'``."""
    config.addinivalue_line("markers", "doctor: a check of doctor (pytest --doctor)")
