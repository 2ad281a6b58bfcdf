"""Model names as Ollama reads them: ``[host/][namespace/]model[:tag]`` with defaults filled in.

Source: Ollama, ``types/model/name.go``. A tag begins at the last colon, if that comes after the last slash; names are
compared without regard to case; they are shown without the default host and namespace but always with a tag.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

DEFAULT_HOST = "registry.ollama.ai"
DEFAULT_NAMESPACE = "library"
DEFAULT_TAG = "latest"

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}")
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,349}")


@dataclass(frozen=True, slots=True)
class ModelName:
    """A complete name."""

    host: str
    namespace: str
    model: str
    tag: str

    @property
    def is_valid(self) -> bool:
        """Tell whether every part is made of the characters that Ollama accepts."""
        return _HOST.fullmatch(self.host) is not None and all(
            _PART.fullmatch(part) for part in (self.namespace, self.model, self.tag)
        )

    @property
    def key(self) -> str:
        """The form in which two names are compared."""
        return f"{self.host}/{self.namespace}/{self.model}:{self.tag}".lower()

    def __str__(self) -> str:
        prefix = ""
        if self.host != DEFAULT_HOST:
            prefix = f"{self.host}/{self.namespace}/"
        elif self.namespace != DEFAULT_NAMESPACE:
            prefix = f"{self.namespace}/"
        return f"{prefix}{self.model}:{self.tag}"


def parse_name(text: str) -> ModelName:
    """Read a name and fill the defaults in; whether it is valid is asked of the result."""
    text = text.partition("://")[2] or text
    path, colon, tag = text.rpartition(":")
    if not colon or "/" in tag:
        path, tag = text, DEFAULT_TAG
    parts = path.split("/")
    model = parts[-1]
    namespace = parts[-2] if len(parts) > 1 else DEFAULT_NAMESPACE
    host = "/".join(parts[:-2]) if len(parts) > 2 else DEFAULT_HOST
    return ModelName(host, namespace, model, tag)
