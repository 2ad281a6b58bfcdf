"""One reading of a tree: what was kept of the last one where nothing has changed, a new pass over the rest."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from doctor.source.cache import FactCache
from doctor.source.discover import Stamp, stamped_files
from doctor.source.kept import Keeper, KeptFile, KeptTree
from doctor.source.module_names import packages_above
from doctor.source.phases import Phases

if TYPE_CHECKING:
    from doctor.source.build import Build


class Reading:
    """Reads the source under ``root``; ``cache`` is where facts are kept (None: nowhere)."""

    def __init__(self, root: Path, *, cache: Path | None = None, for_graph: bool = False) -> None:
        self.root = root
        self.for_graph = for_graph
        self.phases = Phases()
        self._keeper = Keeper(FactCache(cache), "graph" if for_graph else "checks")
        self._new_tree: KeptTree | None = None
        self._new_files: dict[str, KeptFile] | None = None

    def facts(self, *, processes: int = 1) -> bytes:
        """Return the pickled facts, texts redacted; ``processes`` share the work of a large tree."""
        with self.phases.measure("discovery"):
            stamps = stamped_files(self.root)
        with self.phases.measure("kept facts"):
            tree = self._keeper.tree()
            if tree is not None and not self._is_of_this_tree(tree, stamps):
                tree = None
        if tree is not None and tree.stamps == stamps:
            return tree.facts
        return self._read(stamps, tree, processes)

    def keep(self) -> None:
        """Save what the next run can use."""
        self._keeper.save(self._new_tree, self._new_files)

    def _is_of_this_tree(self, tree: KeptTree, stamps: Mapping[str, Stamp]) -> bool:
        outside = packages_above(self.root) if "__init__.py" in stamps else ()
        return tree.root == str(self.root) and tree.outside == outside and tree.stamps.keys() == stamps.keys()

    def _read(self, stamps: dict[str, Stamp], tree: KeptTree | None, processes: int) -> bytes:
        from doctor.source.build import Build  # an unchanged tree needs nothing of all that

        known = self._keeper.files() if self._keeper.is_on else None
        build = Build(self.root, stamps, known=known, for_graph=self.for_graph, processes=processes, phases=self.phases)
        try:
            build.look()
            digests = {path: file.digest for path, file in build.files.items()}
            is_same = tree is not None and digests == tree.digests  # touched, but not changed
            facts = tree.facts if tree is not None and is_same else self._new_facts(build)
        finally:
            build.close()
        self._remember(build, digests, facts)
        return facts

    def _new_facts(self, build: Build) -> bytes:
        return pickle.dumps(build.facts(), protocol=pickle.HIGHEST_PROTOCOL)

    def _remember(self, build: Build, digests: dict[str, bytes], facts: bytes) -> None:
        if not self._keeper.is_on or not build.files:
            return
        self._new_files = build.files
        if build.files.keys() == build.stamps.keys() and all(one.is_certain for one in build.read.values()):
            stamps = {path: file.stamp for path, file in build.files.items()}
            self._new_tree = KeptTree(str(self.root), build.names.outside, stamps, digests, facts)
