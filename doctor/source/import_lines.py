"""Which modules a start brings in, read from the import statements of the files that it reaches.

The statements are found as text: a live check asks this, and to parse in its process would delay the probes of the
others. What stands under ``if TYPE_CHECKING`` or in a docstring counts too, so that more is taken to be imported than
is; a module that imports by name at run time is taken to import everything of its folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from doctor.file_names import located
from doctor.source.module_names import ModuleNames

LIMIT = 2_000
"""Files that are read at most."""

MAX_BYTES = 1_000_000
"""Bytes of a file that are looked at."""

_FROM = re.compile(r"^[ \t]*from[ \t]+(\.*)([\w.]*)[ \t]+import[ \t]*(\([^)]*\)|[^\n#;]*)", re.MULTILINE)
_IMPORT = re.compile(r"^[ \t]*import[ \t]+([^\n#;]+)", re.MULTILINE)
_DYNAMIC = re.compile(r"\b(?:import_module|__import__|walk_packages|iter_modules)\s*\(")
_NAME = re.compile(r"(\w+)(?:[ \t]+as[ \t]+\w+)?")


def imported(root: Path, files: Iterable[str], start: Iterable[str]) -> frozenset[str]:
    """Return the files (relative to ``root``) that are run when the modules ``start`` are imported."""
    names = ModuleNames(root, files)
    by_name = {names.name_of(path): path for path in names.files}
    waiting = [path for module in start for path in _chain(by_name, module)]
    found: set[str] = set()
    while waiting and len(found) < LIMIT:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        text = _text(root, path)
        for module in _named(text, path, names):
            waiting.extend(_chain(by_name, module))
        if _DYNAMIC.search(text):
            folder = path.rpartition("/")[0]
            waiting.extend(one for one in names.files if one.startswith(f"{folder}/" if folder else ""))
    return frozenset(found)


def _chain(by_name: dict[str, str], module: str) -> Iterator[str]:
    """Yield the files of a module and of the packages around it: importing one runs all of them."""
    parts = module.split(".")
    for length in range(1, len(parts) + 1):
        if path := by_name.get(".".join(parts[:length])):
            yield path


def _named(text: str, path: str, names: ModuleNames) -> Iterator[str]:
    """Yield what a file imports: modules, and names that may be modules."""
    package = names.name_of(path).split(".")
    if not path.endswith("__init__.py"):
        package = package[:-1]
    for dots, module, imported_names in _FROM.findall(text):
        base = package[: len(package) - len(dots) + 1] if dots else []
        whole = ".".join([*base, *filter(None, module.split("."))])
        yield whole
        yield from (f"{whole}.{name}" if whole else name for name in _NAME.findall(imported_names))
    for listed in _IMPORT.findall(text):
        yield from (one.split()[0] for one in listed.split(",") if one.strip())


def _text(root: Path, path: str) -> str:
    try:
        with located(root, path).open("rb") as file:
            return file.read(MAX_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
