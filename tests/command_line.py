"""The doctor as its users call it: a process of its own, with an environment that says nothing about this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import doctor

PACKAGE_FOLDER = Path(doctor.__file__).parents[1]
DEADLINE = 60.0
"""Seconds after which a command counts as hanging."""

ADDRESSES = ("DATABASE_URL", "NATS_URL", "OLLAMA_HOST", "OLLAMA_BASE_URL", "API_URL", "NO_COLOR", "FORCE_COLOR")


def environment(plugins: Path | None = None, **extra: str) -> dict[str, str]:
    """Return what a command sees: this environment without any address of a target; ``plugins`` can be imported."""
    kept = {name: value for name, value in os.environ.items() if name not in ADDRESSES and "EMBEDDING" not in name}
    folders = [str(folder) for folder in (plugins, PACKAGE_FOLDER) if folder is not None]
    return {**kept, "PYTHONPATH": os.pathsep.join(folders), "PYTHONWARNINGS": "error", **extra}


def run(
    *arguments: str, cwd: Path, plugins: Path | None = None, extra: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Call ``doctor`` and return what became of it."""
    return subprocess.run(
        command(*arguments),
        cwd=cwd,
        env=environment(plugins, **(extra or {})),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=DEADLINE,
        check=False,
    )


def command(*arguments: str) -> list[str]:
    """Return the argument list of a call. ``-P``: like the installed script, it imports nothing from the target."""
    return [sys.executable, "-P", "-m", "doctor", *arguments]


PAGE = '''"""Something of a plugin is wrong.

## What it finds
## Why it hurts
## How it is told from its look-alikes
## How to fix
## False positives
"""
'''


def install(folder: Path, name: str, source: str) -> Path:
    """Put a distribution with one module into ``folder``, as an installer would, and return the folder.

    The module is the plugin: its entry point in the group ``doctor`` bears its name.
    """
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(PAGE + source, encoding="utf-8")
    information = folder / f"{name}-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[doctor]\n{name} = {name}\n")
    return folder
