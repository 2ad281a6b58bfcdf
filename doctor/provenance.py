"""Where each value of the configuration comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from doctor.configuration import BUILT_IN_PROFILES, LoadedConfiguration, line_of

VARIABLES = {
    "fail_on": "DOCTOR_FAIL_ON",
    "timeout": "DOCTOR_TIMEOUT",
    "total_timeout": "DOCTOR_TOTAL_TIMEOUT",
}
"""Settings that a variable of the environment overrides. (``DOCTOR_PROFILE`` and ``DOCTOR_CONFIG`` choose others.)"""

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Setting:
    """One value that is in force, by the dotted name of its key, and where it comes from."""

    key: str
    value: Any
    origin: str


def settings(loaded: LoadedConfiguration, profile: str | None, environment: Mapping[str, str]) -> Iterator[Setting]:
    """Yield every setting; ``loaded`` is the file without its profile applied.

    Raises:
        ConfigurationError: there is no such profile.
    """
    effective = loaded if profile is None else loaded.with_profile(profile)
    replaced = None if profile is None else (BUILT_IN_PROFILES | loaded.configuration.profile)[profile]
    for path, value in _leaves(effective.configuration, ()):
        key = ".".join(map(str, path))
        if (variable := VARIABLES.get(key)) and variable in environment:
            yield Setting(key, environment[variable], f"environment {variable}")
        elif profile is not None and getattr(replaced, key, None) is not None:
            yield Setting(key, value, _of_profile(loaded, profile, key))
        else:
            yield Setting(key, value, _of_file(loaded, path))


def _of_profile(loaded: LoadedConfiguration, profile: str, key: str) -> str:
    line = line_of(loaded.text, ["profile", profile, key])
    place = "built in" if line is None or loaded.path is None else f"{loaded.path.name}:{line}"
    return f"profile {profile} ({place})"


def _of_file(loaded: LoadedConfiguration, path: tuple[int | str, ...]) -> str:
    line = line_of(loaded.text, list(path)) if loaded.path is not None else None
    return DEFAULT if line is None or loaded.path is None else f"{loaded.path.name}:{line}"


def _leaves(value: Any, path: tuple[int | str, ...]) -> Iterator[tuple[tuple[int | str, ...], Any]]:
    """Yield what is no section, with the way to it."""
    if is_dataclass(value):
        for each in fields(value):
            yield from _leaves(getattr(value, each.name), (*path, each.name))
    elif isinstance(value, dict) and any(map(is_dataclass, value.values())):
        for name, section in value.items():
            yield from _leaves(section, (*path, name))
    elif isinstance(value, tuple) and any(map(is_dataclass, value)):
        for number, section in enumerate(value):
            yield from _leaves(section, (*path, number))
    else:
        yield path, value
