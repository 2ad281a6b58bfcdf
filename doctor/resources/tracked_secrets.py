"""Secrets in the files of settings that git tracks."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from doctor.file_names import visible
from doctor.redaction import redact
from doctor.resources.compose_nodes import FILE_NAMES
from doctor.resources.compose_variables import read_compose
from doctor.resources.environment import Environment

GIT_TIMEOUT = 5.0
MAX_FILES = 200

_ENV_FILE = re.compile(r"(?:.*/)?(?:\.env(?:\..+)?|[^/]+\.env)")
_EXAMPLE = re.compile(r"example|sample|template|dist$|default", re.IGNORECASE)
_PLACEHOLDER = re.compile(
    r"change.?(?:me|this|it)|your[-_. ]|example|placeholder|dummy|fake|todo|replace|x{3,}|\.{3}|<[^>]*>|\$\{|\*{3}"
    r"|(?:^|[-_])(?:test|dev|local|demo)(?:ing|elopment)?(?:$|[-_])",
    re.IGNORECASE,
)
_OF_IMAGES = frozenset({"", "postgres", "password", "secret", "admin", "root", "guest", "user", "app", "minioadmin"})
"""Passwords that images have by default, or that everyone writes for a database on their own machine."""

# The only setting by which a foreign checkout could make ls-files run a program is switched off.
_GIT = ("git", "-c", "core.fsmonitor=false", "ls-files", "-z", "--cached")
_KIND = re.compile(r"<redacted:(?P<kind>[a-z-]+)#")


@dataclass(frozen=True, slots=True)
class TrackedSecret:
    """One secret: where it stands and of which kind it is, never what it is."""

    path: str
    line: int
    name: str
    kind: str


def tracked_secrets(root: Path) -> tuple[TrackedSecret, ...] | None:
    """Return the secrets in the ``.env`` and compose files that git tracks under ``root``; None without git."""
    listed = _tracked(root)
    if listed is None:
        return None
    found: list[TrackedSecret] = []
    for path in [one for one in listed if _ENV_FILE.fullmatch(one)][:MAX_FILES]:
        file = root / path
        if file.is_symlink():
            continue
        for one in Environment(root, files=[file], process_environment={}).assignments:
            line = int(one.origin.rpartition(":")[2])
            kind = secret_kind(one.name, one.value, only_by_shape=_EXAMPLE.search(file.name) is not None)
            if kind:
                found.append(TrackedSecret(visible(path), line, one.name, kind))
    for variable in read_compose(root).variables:
        if variable.path in listed and variable.path in FILE_NAMES and variable.is_literal:
            kind = secret_kind(variable.name, variable.value or "")
            if kind:
                found.append(TrackedSecret(variable.path, variable.line, variable.name, kind))
    return tuple(dict.fromkeys(found))


def secret_kind(name: str, value: str, *, only_by_shape: bool = False) -> str:
    """Return the kind of secret that a variable holds, or nothing: a placeholder, a default of an image, no secret."""
    text = value.strip().strip("\"'")
    shape = _KIND.search(redact(text))
    match = shape if only_by_shape else shape or _KIND.search(redact(f"{name}={text}"))
    if match is None or match["kind"] == "email":
        return ""
    secret = _within(text)
    return "" if _PLACEHOLDER.search(secret) or secret.casefold() in _OF_IMAGES else match["kind"]


def _within(text: str) -> str:
    """Return what of a value would be the secret: of an address the password, nothing where it equals the user."""
    try:
        parts = urlsplit(text)
        user, password = parts.username, parts.password
    except ValueError:
        return text
    if "://" not in text or (user is None and password is None):
        return "" if "://" in text and not parts.query else text
    return "" if password == user else password or user or ""


def _tracked(root: Path) -> list[str] | None:
    # Inside a git hook GIT_DIR and GIT_INDEX_FILE would answer for another folder.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        listing = subprocess.run(_GIT, cwd=root, env=environment, capture_output=True, timeout=GIT_TIMEOUT, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return [os.fsdecode(name) for name in listing.stdout.split(b"\0") if name]
