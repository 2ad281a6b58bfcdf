"""An optional model of this machine, fetched from the Hugging Face Hub when the application starts.

The server never waits for it. A thread fetches it, and ``GET /health`` shows how far that is; what needs the model asks
:attr:`LocalModel.state` first. The thread is a daemon, so that a download does not keep the process from stopping.
"""

from __future__ import annotations

import threading
from enum import StrEnum
from pathlib import Path

from loguru import logger

from .errors import describe


class ModelState(StrEnum):
    """How far a model is."""

    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"
    """The last attempt failed; another one comes after ``LOCAL_MODEL_RETRY_SECONDS``."""


class LocalModel:
    """One model: a repository of the Hub, and the folder with its files once it is ready."""

    def __init__(self, repository: str) -> None:
        self.repository = repository
        self.state = ModelState.LOADING
        self.folder: Path | None = None
        self.detail: str | None = None
        self._stopped = threading.Event()

    def fetch(self) -> None:
        """Fetch the model, or find it in the cache; this takes as long as the network wants.

        Nothing is raised: whatever goes wrong is the state.
        """
        try:
            folder = _snapshot(self.repository)
        except Exception as error:  # noqa: BLE001 - the Hub's client has errors of three libraries
            self.detail, self.state = describe(error), ModelState.FAILED
            logger.warning("Local model '{}' cannot be fetched: {}", self.repository, self.detail)
        else:
            self.folder, self.detail, self.state = folder, None, ModelState.READY
            logger.info("Local model '{}' is ready", self.repository)

    def start(self, retry_seconds: float) -> None:
        """Fetch it in the background, again and again until it is there."""
        threading.Thread(target=self._until_ready, args=(retry_seconds,), name="local-model", daemon=True).start()

    def stop(self) -> None:
        """Let no further attempt begin."""
        self._stopped.set()

    def _until_ready(self, retry_seconds: float) -> None:
        while not self._stopped.is_set():
            self.fetch()
            if self.state is ModelState.READY:
                return
            self._stopped.wait(retry_seconds)


def _snapshot(repository: str) -> Path:
    # Imported here: it takes a while, and nobody else needs it.
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(repository))
