"""What is built is what stands here: every file that the program needs, and nothing at the top but ``doctor``."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

from tests.command_line import environment

ROOT = Path(__file__).parents[1]
FOLDERS = ("doctor", "checks", "fixes", "pipeline", "reports")
NOT_CODE = {"__pycache__", "tests"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build from a copy, so that the checkout is left as it is."""
    copy = tmp_path_factory.mktemp("project")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, copy / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", copy / "out", copy],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (wheel,) = (copy / "out").glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def names(built: Path) -> set[str]:
    with zipfile.ZipFile(built) as archive:
        return set(archive.namelist())


def needed() -> Iterator[str]:
    """Yield each file of the tree under its name in the wheel."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            place = path.relative_to(ROOT)
            through_link = folder == "doctor" and place.parts[1] in FOLDERS
            if path.is_file() and not through_link and not NOT_CODE & set(place.parts):
                yield place.as_posix() if folder == "doctor" else f"doctor/{place.as_posix()}"


def test_every_file_of_the_five_folders_is_in_the_wheel(names: set[str]):
    assert sorted(set(needed()) - names) == []


def test_what_is_no_python_is_there_too():
    kinds = {PurePosixPath(name).suffix for name in needed()}
    assert kinds >= {".py", ".sql", ".j2", ".toml", ".json", ".typed"}


def test_nothing_else_is_in_the_wheel(names: set[str]):
    others = {name for name in names if not name.startswith("pipeline_doctor-") or ".dist-info/" not in name}
    assert sorted(others - set(needed())) == []


def test_nothing_stands_at_the_top_but_the_package_and_its_metadata(names: set[str]):
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"doctor"}


def test_the_installed_package_runs_on_its_own(built: Path, tmp_path: Path):
    """Unpacked somewhere else, without the checkout on the path."""
    site = tmp_path / "site"
    with zipfile.ZipFile(built) as archive:
        archive.extractall(site)
    program = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); sys.meta_path = [finder for finder in sys.meta_path "
        "if 'editable' not in type(finder).__module__ + getattr(finder, '__module__', '')]; "
        "import doctor; assert doctor.__file__.startswith(sys.path[0]), doctor.__file__; "
        "from doctor.main import main; sys.exit(main())"
    )
    (tmp_path / "empty").mkdir()
    for arguments, code in ((["list"], 0), (["explain", "TSK001"], 0), (["check", "--format", "markdown"], 3)):
        done = subprocess.run(
            [sys.executable, "-P", "-c", program, site, *arguments],
            cwd=tmp_path / "empty",
            env={name: value for name, value in environment().items() if name != "PYTHONPATH"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert done.stdout


def test_the_command_is_installed_and_the_licence_ships(built: Path, names: set[str]):
    with zipfile.ZipFile(built) as archive:
        information = next(name for name in names if name.endswith("entry_points.txt"))
        assert "doctor = doctor.main:run_command" in archive.read(information).decode()
    assert any(name.endswith("licenses/LICENSE") for name in names)
