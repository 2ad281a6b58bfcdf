"""The sandbox's own copy of the application and of the description of its chain: only the copy is ever broken."""

from __future__ import annotations

import shutil
from pathlib import Path

from doctor import pipeline
from doctor.pipeline.sandbox.layout import Layout


def copy_application(layout: Layout) -> None:
    """Copy the application and ``doctor.toml`` into the sandbox's folder.

    Raises:
        OSError: the folder cannot be written.
    """
    source = Path(pipeline.__file__).resolve().parent
    left_out = shutil.ignore_patterns("__pycache__", "tests", "*.pyc")
    shutil.copytree(source / "app", layout.app, ignore=left_out, dirs_exist_ok=True)
    shutil.copyfile(source / "doctor.toml", layout.doctor_toml)
