"""Gets the sources of the corpus: wheels from the registry, unpacked, never installed, built or imported."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".corpus"
"""Where the sources are kept between runs; git ignores it."""

PINNED = Path(__file__).with_name("packages.txt")
KEPT = frozenset({".py", ".yml", ".yaml", ".toml", ".env"})
"""Endings of the files that a static check reads."""

_DEADLINE = 600.0
_COMPLETE = ".complete"
"""Written last into the folder of a package."""

_DOWNLOAD = ("-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--ignore-requires-python")
_WHEELS = ("--only-binary", ":all:", "--python-version", "3.12")


class CorpusError(Exception):
    """The corpus cannot be had; the message says which package, and why."""


@dataclass(frozen=True, slots=True)
class Package:
    """A package of the corpus and the folder of its sources."""

    name: str
    version: str
    folder: Path

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


def pinned(folder: Path = FOLDER) -> tuple[Package, ...]:
    """Return the packages of the corpus in the order of their names."""
    lines = [line.strip() for line in PINNED.read_text(encoding="utf-8").splitlines()]
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return tuple(Package(name, version, folder / f"{name}-{version}") for name, version in sorted(pairs))


def fetch(packages: Iterable[Package]) -> None:
    """Download and unpack what is not there yet.

    Raises:
        CorpusError: when the registry does not give a wheel of a package.
    """
    for package in packages:
        if not (package.folder / _COMPLETE).exists():
            with tempfile.TemporaryDirectory(prefix="doctor-corpus-") as folder:
                _unpack(_downloaded(package, Path(folder)), package.folder)


def _downloaded(package: Package, folder: Path) -> Path:
    wanted = f"{package.name}=={package.version}"
    command = [sys.executable, *_DOWNLOAD, *_WHEELS, "--dest", str(folder), wanted]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_DEADLINE, check=False)
    found = list(folder.glob("*.whl"))
    if done.returncode != 0 or not found:
        reason = (done.stderr.strip().splitlines() or ["no wheel"])[-1]
        raise CorpusError(f"{wanted} cannot be downloaded: {reason}; is there a newer version to pin in {PINNED.name}?")
    return found[0]


def _unpack(wheel: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            place = PurePosixPath(member.filename)
            if place.suffix in KEPT and not place.is_absolute() and ".." not in place.parts:
                target = folder / place
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.read(member))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _COMPLETE).touch()
