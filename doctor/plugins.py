"""The plugin manager: built-ins and third parties come through the same hooks.

Hook implementations are called one by one, so that one that raises loses only itself.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pluggy

from doctor.check import Check
from doctor.fix import Fix
from doctor.hookspecs import DoctorHooks
from doctor.known_signature import KnownSignature
from doctor.redaction import redact
from doctor.report import LogReport, Report

BUILT_IN = ("doctor.checks", "doctor.fixes", "doctor.reports", "doctor.signatures")


@dataclass(frozen=True, slots=True)
class Registry:
    """Everything that plugins brought. ``problems`` are sentences about plugins that could not be used, ``files`` the
    files of Python that were read as plugins."""

    checks: dict[str, Check] = field(default_factory=dict)
    fixes: dict[str, Fix] = field(default_factory=dict)
    reports: dict[str, Report] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    signatures: dict[str, KnownSignature] = field(default_factory=dict)
    log_reports: dict[str, LogReport] = field(default_factory=dict)
    files: frozenset[Path] = frozenset()

    def copied(self) -> Registry:
        """Return one to which can be added without changing this one."""
        return replace(
            self,
            checks=dict(self.checks),
            fixes=dict(self.fixes),
            reports=dict(self.reports),
            origins=dict(self.origins),
            signatures=dict(self.signatures),
            log_reports=dict(self.log_reports),
        )


def load_registry(built_in: tuple[str, ...] = BUILT_IN, *, entry_points: bool = True) -> Registry:
    """Load the built-ins and every installed plugin.

    A plugin that cannot be imported, or whose hook raises, becomes a problem in the result. A third party cannot
    replace a built-in: the first to register a code or a name keeps it.
    """
    manager = pluggy.PluginManager("doctor")
    manager.add_hookspecs(DoctorHooks)
    problems: list[str] = []
    for name in built_in:
        manager.register(importlib.import_module(name), name=name)
    if entry_points:
        _load_entry_points(manager, problems)
    registry = Registry()
    for _name, plugin in manager.list_name_plugin():  # in the order of registration: built-ins first
        _call(manager, plugin, registry, problems)
    try:
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        problems.append(f"plugin {manager.get_name(error.plugin)}: {error}")
    return replace(registry, problems=tuple(map(redact, problems)))


def with_file(registry: Registry, path: Path) -> Registry:
    """Return a registry that has also what a file of Python brings, such as one that ``plugins`` in the configuration
    names.

    A file that cannot be imported, or whose hook raises, becomes a problem. A file that was read before is not read
    again.
    """
    if path in registry.files:
        return registry
    name = f"doctor_plugin_{path.stem}"
    manager = pluggy.PluginManager("doctor")
    manager.add_hookspecs(DoctorHooks)
    problems: list[str] = []
    more = registry.copied()
    try:
        module = _imported(name, path)
        manager.register(module, name=name)
        _call(manager, module, more, problems)
        manager.check_pending()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a foreign file may raise anything
        problems.append(f"plugin {path.name}: {type(error).__name__}: {error}")
    return replace(more, problems=(*registry.problems, *map(redact, problems)), files=registry.files | {path})


def _imported(name: str, path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python source")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # a check finds its page there
    spec.loader.exec_module(module)
    return module


def _load_entry_points(manager: pluggy.PluginManager, problems: list[str]) -> None:
    from importlib.metadata import entry_points  # 15 ms, and only real runs need it

    for entry in entry_points(group="doctor"):
        try:
            manager.register(entry.load(), name=entry.name)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a foreign plugin may raise anything at import
            problems.append(f"plugin {entry.name}: {type(error).__name__}: {error}")


def _call(manager: pluggy.PluginManager, plugin: Any, registry: Registry, problems: list[str]) -> None:
    name = manager.get_name(plugin) or repr(plugin)
    others = [other for other in manager.get_plugins() if other is not plugin]
    try:
        for checks in manager.subset_hook_caller("doctor_checks", others)():
            _add(registry.checks, {check.code: check for check in checks}, name, registry, problems)
        for fixes in manager.subset_hook_caller("doctor_fixes", others)():
            _add(registry.fixes, {fix.name: fix for fix in fixes}, name, registry, problems)
        for reports in manager.subset_hook_caller("doctor_reports", others)():
            _add(registry.reports, {report.name: report for report in reports}, name, registry, problems)
        for signatures in manager.subset_hook_caller("doctor_signatures", others)():
            _add(registry.signatures, {one.name: one for one in signatures}, name, registry, problems)
        for formats in manager.subset_hook_caller("doctor_log_reports", others)():
            _add(registry.log_reports, {one.name: one for one in formats}, name, registry, problems)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a foreign hook may raise anything
        problems.append(f"plugin {name}: {type(error).__name__}: {error}")


def _add(into: dict[str, Any], new: dict[str, Any], plugin: str, registry: Registry, problems: list[str]) -> None:
    for key, value in new.items():
        if key in into:
            problems.append(f"plugin {plugin}: {key} is already taken by {registry.origins[key]}")
        else:
            into[key] = value
            registry.origins[key] = plugin
