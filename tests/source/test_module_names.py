"""From files to dotted names and back."""

from __future__ import annotations

from pathlib import Path

import pytest

from doctor.source.module_names import ModuleNames

APP = ("app/__init__.py", "app/broker.py", "app/tasks/__init__.py", "app/tasks/scoring.py")


@pytest.mark.parametrize(
    ("files", "path", "name"),
    [
        (APP, "app/tasks/scoring.py", "app.tasks.scoring"),
        (APP, "app/tasks/__init__.py", "app.tasks"),
        (("app/broker.py", "app/tasks/scoring.py"), "app/tasks/scoring.py", "app.tasks.scoring"),
        (("src/app/__init__.py", "src/app/jobs.py"), "src/app/jobs.py", "app.jobs"),
        (("src/jobs.py",), "src/jobs.py", "jobs"),
        (("backend/app/__init__.py", "backend/app/jobs.py"), "backend/app/jobs.py", "app.jobs"),
        (("jobs.py",), "jobs.py", "jobs"),
    ],
)
def test_a_file_has_the_name_by_which_it_is_imported(
    tmp_path: Path, files: tuple[str, ...], path: str, name: str
) -> None:
    assert ModuleNames(tmp_path, files).name_of(path) == name


def test_a_root_inside_a_package_keeps_the_packages_name(tmp_path: Path) -> None:
    root = tmp_path / "service" / "app"
    root.mkdir(parents=True)
    (root / "__init__.py").write_text("")
    names = ModuleNames(root, ["__init__.py", "jobs.py"])
    assert names.name_of("jobs.py") == "app.jobs"
    assert names.name_of("__init__.py") == "app"
    assert names.find("app.jobs", "__init__.py") == "jobs.py"


def test_absolute_imports_are_found_from_the_importers_own_root_first(tmp_path: Path) -> None:
    files = [f"{service}/app/{name}.py" for service in ("one", "two") for name in ("__init__", "jobs", "main")]
    names = ModuleNames(tmp_path, files)
    assert names.find("app.jobs", "two/app/main.py") == "two/app/jobs.py"
    assert names.find("app.jobs", "one/app/main.py") == "one/app/jobs.py"
    assert names.find("two.app.jobs", "one/app/main.py") == "two/app/jobs.py"
    assert names.find("numpy", "one/app/main.py") is None


def test_relative_imports_climb_one_folder_a_dot(tmp_path: Path) -> None:
    names = ModuleNames(tmp_path, APP)
    assert names.find_relative("broker", 2, "app/tasks/scoring.py") == "app/broker.py"
    assert names.find_relative("", 1, "app/tasks/scoring.py") == "app/tasks/__init__.py"
    assert names.find_relative("scoring", 1, "app/tasks/__init__.py") == "app/tasks/scoring.py"
    assert names.find_relative("broker", 9, "app/tasks/scoring.py") is None
