"""Which files a start brings in, told from the text of their imports: never fewer than Python itself imports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from doctor.source.import_lines import imported

MODULES = ["app", "app.one", "app.two", "app.sub", "app.sub.three", "app.sub.four"]
PATHS = {
    "app": "app/__init__.py",
    "app.one": "app/one.py",
    "app.two": "app/two.py",
    "app.sub": "app/sub/__init__.py",
    "app.sub.three": "app/sub/three.py",
    "app.sub.four": "app/sub/four.py",
}


def write(root: Path, texts: dict[str, str]) -> None:
    for module, path in PATHS.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(texts.get(module, ""))


def test_packages_around_a_module_are_run_too(tmp_path: Path):
    write(tmp_path, {"app": "from . import two\n"})
    assert imported(tmp_path, PATHS.values(), ["app.sub.three"]) == {
        *("app/__init__.py", "app/two.py", "app/sub/__init__.py", "app/sub/three.py")
    }


def test_names_over_several_lines_and_under_other_names_are_followed(tmp_path: Path):
    write(tmp_path, {"app.one": "from .sub import (\n    three as t,  # a remark\n    four,\n)\n"})
    assert {"app/sub/three.py", "app/sub/four.py"} <= imported(tmp_path, PATHS.values(), ["app.one"])


def test_a_module_that_imports_by_name_may_import_its_whole_folder(tmp_path: Path):
    write(tmp_path, {"app.sub": "import importlib\n\nimportlib.import_module(name)\n"})
    assert {"app/sub/three.py", "app/sub/four.py"} <= imported(tmp_path, PATHS.values(), ["app.sub"])


def test_a_file_that_is_gone_imports_nothing(tmp_path: Path):
    assert imported(tmp_path, ["gone.py"], ["gone", "missing"]) == {"gone.py"}


STATEMENTS = st.one_of(
    st.sampled_from(MODULES).map(lambda name: f"import {name}"),
    st.sampled_from(MODULES).map(
        lambda name: f"try:\n    import os, {name} as other  # {name}\nexcept ImportError: ..."
    ),
    st.sampled_from(MODULES[1:]).map(lambda name: "from {} import {}".format(*name.rsplit(".", 1))),
    st.sampled_from(MODULES[1:]).map(lambda name: "from {} import (\n    {},\n)".format(*name.rsplit(".", 1))),
)
PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
try:
    import app.one
except ImportError:  # of modules that import one another; what was reached until then counts
    pass
print(*sys.modules)
"""


@settings(max_examples=12, deadline=None)
@given(st.dictionaries(st.sampled_from(MODULES), st.lists(STATEMENTS, max_size=2).map("\n".join)))
def test_nothing_that_python_imports_is_missed(tmp_path_factory, texts: dict[str, str]):
    root = tmp_path_factory.mktemp("imports")
    write(root, texts)
    finished = subprocess.run([sys.executable, "-SE", "-c", PROGRAM, root], capture_output=True, text=True, check=True)
    loaded = {PATHS[name] for name in finished.stdout.split() if name in PATHS}
    assert loaded <= imported(root, PATHS.values(), ["app.one"])
