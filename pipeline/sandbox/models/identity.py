"""How the stand-in says that it is one."""

from __future__ import annotations

#: What ``GET /api/version`` reports. No release of Ollama has such a version.
VERSION = "0.0.0-stand-in"

#: The ``Server`` header of every answer. Ollama sends none.
SERVER_HEADER = "ollama-stand-in/0.0.0"

#: The ``details.family`` of every model.
FAMILY = "stand-in"
