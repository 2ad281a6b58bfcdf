"""Which dotted name a file has for the code that imports it, and which file a dotted name means."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from doctor.file_names import visible

SOURCE_FOLDER = "src"
"""A top folder of this name is on the import path, not part of a module's name."""


class ModuleNames:
    """The modules of a tree.

    The folder above the topmost package (folder with ``__init__.py``) is taken to be on the import path: the root
    for ``app/…``, ``src`` for ``src/app/…``, ``backend`` for ``backend/app/…``. Without any package, it is the root
    or ``src``.
    """

    def __init__(self, root: Path, files: Iterable[str]) -> None:
        self.files = frozenset(files)
        self.outside = packages_above(root) if "__init__.py" in self.files else ()
        self._import_roots = {path: self._find_import_root(path) for path in self.files}
        used = sorted(set(self._import_roots.values()), key=lambda folder: (folder.count("/"), folder))
        self.import_roots = tuple(dict.fromkeys(("", *([SOURCE_FOLDER] if SOURCE_FOLDER in used else ()), *used)))

    def _find_import_root(self, path: str) -> str:
        folders = path.split("/")[:-1]
        for depth in range(len(folders) + 1):
            if "/".join((*folders[:depth], "__init__.py")) in self.files:
                return "/".join(folders[: max(depth - 1, 0)])
        return SOURCE_FOLDER if folders[:1] == [SOURCE_FOLDER] else ""

    def name_of(self, path: str) -> str:
        """Return the dotted name of a file: ``app/tasks/scoring.py`` → ``app.tasks.scoring``."""
        import_root = self._import_roots[path]
        inside = path[len(import_root) + 1 :] if import_root else path
        parts = inside.removesuffix(".py").split("/")
        if parts[-1] == "__init__":
            parts.pop()
        return ".".join((*self.outside, *parts)) or "__init__"

    def find(self, dotted: str, importer: str) -> str | None:
        """Return the file that ``import dotted`` means in the file ``importer``, or None for code from elsewhere."""
        relative = dotted.replace(".", "/")
        own = self._import_roots[importer]
        for import_root in dict.fromkeys((own, *self.import_roots)):
            found = self._at(f"{import_root}/{relative}" if import_root else relative)
            if found is not None:
                return found
        if self.outside and (inside := _without_prefix(dotted, self.outside)) is not None:
            return self._at(inside.replace(".", "/"))
        return None

    def find_relative(self, module: str, level: int, importer: str) -> str | None:
        """Return the file that ``from <level dots>module import …`` means in the file ``importer``."""
        folders = importer.split("/")[:-1]
        if level - 1 > len(folders):
            return None
        parts = folders[: len(folders) - (level - 1)] + (module.split(".") if module else [])
        return self._at("/".join(parts))

    def submodule(self, package: str, name: str) -> str | None:
        """Return the file of ``name`` in the package whose file is ``package``, or None."""
        if package.rpartition("/")[2] != "__init__.py":
            return None
        folder = package.rpartition("/")[0]
        return self._at(f"{folder}/{name}" if folder else name)

    def _at(self, place: str) -> str | None:
        for candidate in (f"{place}/__init__.py" if place else "__init__.py", f"{place}.py"):
            if candidate in self.files:
                return candidate
        return None


def packages_above(root: Path) -> tuple[str, ...]:
    """Return the names of the packages that the root itself is in, outermost first, the root's own name last."""
    names = []
    folder = root.absolute()
    while (folder / "__init__.py").is_file() and folder.name:
        names.append(visible(folder.name))
        folder = folder.parent
    return tuple(reversed(names))


def _without_prefix(dotted: str, packages: tuple[str, ...]) -> str | None:
    prefix = ".".join(packages)
    if dotted == prefix:
        return ""
    return dotted[len(prefix) + 1 :] if dotted.startswith(f"{prefix}.") else None
