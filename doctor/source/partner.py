"""A second process that does half of the work: parsing burns the CPU, and one interpreter uses one core.

It is forked, so that it starts at once and knows the files already. Requests and answers are pickled; both come from
this process and its own child.
"""

from __future__ import annotations

import os
import pickle
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any


class PartnerDiedError(Exception):
    """The other process ended before it answered."""


class Partner:
    """Does in another process what ``serve`` does with a question; one question at a time."""

    def __init__(self, serve: Callable[[Any], Any]) -> None:
        asked, self._asking = os.pipe()
        self._answering, answered = os.pipe()
        self._process = os.fork()
        if self._process == 0:  # pragma: no cover - coverage does not follow a fork that ends in _exit
            os.close(self._asking)
            os.close(self._answering)
            _serve(asked, answered, serve)
        os.close(asked)
        os.close(answered)
        self._questions = os.fdopen(self._asking, "wb")
        self._answers = os.fdopen(self._answering, "rb")

    def ask(self, question: Any) -> None:
        """Send a question without waiting.

        Raises:
            PartnerDiedError: there is nobody to send it to.
        """
        try:
            pickle.dump(question, self._questions, protocol=pickle.HIGHEST_PROTOCOL)
            self._questions.flush()
        except OSError as error:
            raise PartnerDiedError from error

    def answer(self) -> Any:
        """Wait for the answer.

        Raises:
            PartnerDiedError: there will be none.
        """
        try:
            return pickle.load(self._answers)  # noqa: S301 - written by our own child
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            raise PartnerDiedError from error

    def close(self) -> None:
        """End the other process, whatever it does."""
        for stream in (self._questions, self._answers):
            with suppress(OSError):  # what was left to be written has nobody to read it
                stream.close()
        with suppress(ProcessLookupError):
            os.kill(self._process, signal.SIGKILL)
        os.waitpid(self._process, 0)


def _serve(asked: int, answered: int, serve: Callable[[Any], Any]) -> None:
    """Answer until nobody asks any more; never return into the caller's code."""
    try:
        with os.fdopen(asked, "rb") as questions, os.fdopen(answered, "wb") as answers:
            while True:
                pickle.dump(serve(pickle.load(questions)), answers, protocol=pickle.HIGHEST_PROTOCOL)  # noqa: S301
                answers.flush()
    except BaseException:  # noqa: BLE001 - the parent sees the end of the stream and does the work itself
        os._exit(1)
