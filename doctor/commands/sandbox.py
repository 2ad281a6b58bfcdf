"""``doctor sandbox``: the example pipeline on real servers, in a folder of its own."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from doctor.commands.list import table
from doctor.commands.output import Output
from doctor.verdict import ExitCode
from doctor.wording import counted

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

DEFAULT_NAME = "sandbox"
UP_DEADLINE = 90.0
"""Seconds until everything must be up; a cold machine with two cores takes ten."""

MISSING_EXTRA = "install the extra, `pip install '.[sandbox]'` in the project's clone"

LONGEST_NAME = 64


def _one_folder(_context: click.Context, _argument: click.Parameter, name: str) -> str:
    """Accept what names one folder in the root, where `list` finds it and `down` may remove it."""
    if not name.isprintable() or "/" in name or name.startswith((".", "-")) or not 0 < len(name) <= LONGEST_NAME:
        raise click.BadParameter(
            f"a sandbox is one folder: up to {LONGEST_NAME} characters, no slash, no dot or dash in front"
        )
    return name


name_argument = click.argument("name", default=DEFAULT_NAME, required=False, callback=_one_folder)
root_option = click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".doctor/sandboxes"),
    help="Folder that holds the sandboxes (.doctor/sandboxes).",
)


class SandboxProblem(click.ClickException):
    """Shown as one sentence; exit code 2."""


@contextmanager
def sandbox_errors() -> Iterator[None]:
    """Turn what can go wrong with a sandbox into one sentence for the person.

    Raises:
        SandboxProblem: for every error of the sandbox, when its packages are not installed, or when its folder cannot
        be written.
    """
    try:
        from doctor.pipeline.sandbox.errors import SandboxError
    except ModuleNotFoundError as error:
        raise SandboxProblem(f"{error.name} is missing: {MISSING_EXTRA}") from error
    try:
        yield
    except SandboxError as error:
        raise SandboxProblem(str(error)) from error
    except ModuleNotFoundError as error:
        raise SandboxProblem(f"{error.name} is missing: {MISSING_EXTRA}") from error
    except OSError as error:
        raise SandboxProblem(f"{error.filename or 'the sandbox'}: {error.strerror or error}") from error


def _at(root: Path, name: str) -> Sandbox:
    from doctor.pipeline.sandbox.sandbox import Sandbox

    sandbox = Sandbox.open(root / name)
    _clear(sandbox)
    return sandbox


def _clear(sandbox: Sandbox) -> None:
    """End what a sandbox that was killed has left running, whichever command comes next."""
    ended = sandbox.clear_remains()
    if ended:
        Output().tell(f"sandbox {sandbox.name} was killed: ended {counted(ended, 'process', 'processes')} that it left")


@click.group("sandbox")
def sandbox_command() -> None:
    """Run the example pipeline on a real PostgreSQL and NATS, break it, heal it.

    The model server is a stand-in that speaks Ollama's protocol, and says so. A sandbox is a folder: `doctor check
    FOLDER` examines it like any other project.
    """


@sandbox_command.command()
@name_argument
@root_option
@click.option("--auth", is_flag=True, help="Have an identity provider (a stand-in) too; the API asks for tokens.")
def up(name: str, root: Path, auth: bool) -> int:
    """Start everything and wait until it is ready."""
    output = Output()
    with sandbox_errors():
        from doctor.pipeline.sandbox.sandbox import Sandbox

        sandbox = Sandbox.create(root / name, name=name, auth=auth, exist_ok=True)
        _clear(sandbox)
        sandbox.up(deadline=UP_DEADLINE, progress=output.tell)
    output.write(f"sandbox {name} is up; next: doctor check {shlex.quote(os.path.relpath(sandbox.directory))}\n")
    return int(ExitCode.OK)


@sandbox_command.command()
@name_argument
@root_option
@click.option("--keep-data", is_flag=True, help="Keep the folder, so that `up` goes on where it was.")
def down(name: str, root: Path, keep_data: bool) -> int:
    """Stop everything and remove the folder.

    Its run records go too, unless --keep-data is given.
    """
    with sandbox_errors():
        _at(root, name).down(keep_data=keep_data)
    Output().write(f"sandbox {name} is down\n")
    return int(ExitCode.OK)


@sandbox_command.command()
@name_argument
@root_option
def status(name: str, root: Path) -> int:
    """Show each process: its state, pid and port. Exit code 1 unless all is ready."""
    with sandbox_errors():
        state = _at(root, name).state()
    rows = [
        (
            service.name,
            str(service.status),
            str(service.process.pid if service.process else ""),
            str(service.port or ""),
        )
        for service in state.services.values()
    ]
    Output().write(f"{name}  {state.status}  {state.detail}".rstrip() + "\n" + table(rows))
    return int(ExitCode.OK if state.status == "ready" else ExitCode.FINDINGS)


@sandbox_command.command("list")
@root_option
def list_command(root: Path) -> int:
    """List the sandboxes and the faults that can be injected."""
    with sandbox_errors():
        from doctor.pipeline.sandbox.fault import all_faults
        from doctor.pipeline.sandbox.sandbox import list_sandboxes

        found = list_sandboxes(root)
        for each in found:
            _clear(each)
        sandboxes = [(each.directory.name, str(each.state().status), str(each.directory)) for each in found]
        faults = [(fault.name, fault.case, fault.title) for fault in all_faults().values()]
    Output().write(f"sandboxes in {root}\n{table(sandboxes)}\nfaults\n{table(faults)}")
    return int(ExitCode.OK)


@sandbox_command.command("break")
@click.argument("fault")
@name_argument
@root_option
def break_command(fault: str, name: str, root: Path) -> int:
    """Inject FAULT into the sandbox.

    Injected twice it is there once.
    """
    with sandbox_errors():
        _at(root, name).break_(fault)
    Output().write(f"{fault} is broken in {name}\n")
    return int(ExitCode.OK)


@sandbox_command.command("heal")
@click.argument("fault")
@name_argument
@root_option
def heal_command(fault: str, name: str, root: Path) -> int:
    """Take FAULT out of the sandbox again.

    What is not broken stays as it is.
    """
    with sandbox_errors():
        _at(root, name).heal(fault)
    Output().write(f"{fault} is healed in {name}\n")
    return int(ExitCode.OK)
