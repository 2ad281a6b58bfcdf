"""The application that takes the messages, as whoever sends one sees it: an address that answers over HTTP.

Errors:
    ApplicationUnreachable: nobody does.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from doctor.model import Endpoint
from doctor.redaction import redact
from doctor.resources.address import is_loopback
from doctor.resources.unreachable import ResourceUnreachable
from doctor.resources.web_document import Document, NoDocumentError, fetch

TIMEOUT = 3.0
"""Seconds for an answer; a page that there is not is told from one that there is at once."""


class ApplicationUnreachable(ResourceUnreachable):
    """Nothing answers at the application's address."""

    resource = "application"
    title = "the application"


class Application:
    """``url`` is its base; ``origin`` says where that was found."""

    def __init__(self, url: str, *, origin: str) -> None:
        self.url = url.rstrip("/")
        self.endpoint = Endpoint("api", redact(self.url), origin)

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine; of what is no address too, for nothing can be sent there."""
        try:
            return is_loopback(urlsplit(self.url).hostname or "localhost")
        except ValueError:
            return True

    async def answer(self) -> Document:
        """Ask for the root, where no application does anything, and return what comes, whatever its status.

        Raises:
            ApplicationUnreachable: nothing does.
        """
        try:
            return await fetch(f"{self.url}/", timeout=TIMEOUT)
        except NoDocumentError as error:
            raise ApplicationUnreachable(error.reason, self.url, error.detail) from error
