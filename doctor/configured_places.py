"""Which line of the configuration names a resource: where to point when what was found is in no file."""

from __future__ import annotations

from pathlib import Path

from doctor.configuration import LoadedConfiguration, line_of

_ENDPOINTS: dict[str, list[int | str]] = {
    "postgresql": ["target", "database_env"],
    "nats": ["target", "nats_env"],
    "models": ["target", "ollama_env"],
    "auth": ["target", "auth"],
    "api": ["target", "api_env"],
}
"""Kind of outside system → the key that says where its address is found."""


def configured_places(loaded: LoadedConfiguration, root: Path) -> dict[str, str]:
    """Return ``path:line`` below ``root`` by resource key or kind of outside system; "" is the file itself.

    Empty where there is no configuration, or where it lies elsewhere.
    """
    if loaded.path is None or not loaded.path.resolve().is_relative_to(root.resolve()):
        return {}
    path = loaded.path.resolve().relative_to(root.resolve()).as_posix()
    configuration = loaded.configuration
    wanted = dict(_ENDPOINTS)
    stages = () if configuration.chain is None else configuration.chain.stage
    for number, stage in enumerate(stages):
        wanted[f"stage:{stage.name}"] = ["chain", "stage", number, "name"]
    for name in configuration.agents:
        wanted[f"agent:{name}"] = ["agents", name]
    lines = {key: line_of(loaded.text, location) for key, location in wanted.items()}
    return {"": f"{path}:1"} | {key: f"{path}:{line}" for key, line in lines.items() if line is not None}


def repository_path(root: Path) -> str:
    """Return the way from the nearest folder above that git manages to ``root``; "" where it is the same or none."""
    folder = root.resolve()
    repository = next((each for each in (folder, *folder.parents) if (each / ".git").exists()), folder)
    path = folder.relative_to(repository).as_posix()
    return "" if path == "." else path
