"""Chromium without a window, driven over two pipes by its DevTools protocol: no port, no driver, no package."""

from __future__ import annotations

import base64
import json
import os
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""What distributions call it."""

DEADLINE = 30.0
"""Seconds that Chromium may take for one answer."""

OPTIONS = (
    "--headless",
    "--remote-debugging-pipe",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def installed() -> str | None:
    """Return the program, or None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


BRIDGE = """
import fcntl, os, sys
for place, pipe in ((3, sys.argv[1]), (4, sys.argv[2])):
    os.dup2(fcntl.fcntl(int(pipe), fcntl.F_DUPFD, 10), place)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Becomes Chromium, with the pipes where it looks for them: commands at 3, answers at 4."""


class ChromiumError(Exception):
    """Chromium has ended, has not answered in time, or has refused a command."""


class Chromium:
    """One page of a running Chromium. ``events`` are all that it has told since the page was opened."""

    def __init__(self, to: int, of: int) -> None:
        self._to = to
        self._of = of
        self._unread = b""
        self._number = 0
        self._session: str | None = None
        self._selector = selectors.DefaultSelector()
        self._selector.register(of, selectors.EVENT_READ)
        self.events: list[dict[str, Any]] = []

    def open(self, address: str) -> None:
        """Open an address in a new page, and wait until it has been loaded."""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")
        self.events.clear()
        self.ask("Page.navigate", url=address)
        while not self.told("Page.loadEventFired"):
            self._take(time.monotonic() + DEADLINE)

    def told(self, method: str) -> list[dict[str, Any]]:
        """Return what the events of one kind say."""
        return [event["params"] for event in self.events if event["method"] == method]

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression in the page."""
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in answer:
            raise ChromiumError(answer["exceptionDetails"]["text"])
        return answer["result"].get("value")

    def look(self, width: int, height: int = 900, *, scheme: str = "light", medium: str = "screen") -> None:
        """Show the page in a window of this size, in light or dark, on a screen or on paper."""
        phone = width < 500
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.ask("Emulation.setEmulatedMedia", media=medium, features=features)

    def picture(self, path: Path) -> None:
        """Write what the window shows as PNG."""
        answer = self.ask("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(answer["data"]))

    def paper(self, path: Path) -> None:
        """Write the page as it is printed, as PDF."""
        answer = self.ask("Page.printToPDF", preferCSSPageSize=True, printBackground=False)
        path.write_bytes(base64.b64decode(answer["data"]))

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its result.

        Raises:
            ChromiumError: it was refused, or nothing has answered in time.
        """
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + DEADLINE
        while True:
            answer = self._take(deadline)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise ChromiumError(f"{method}: {answer['error']['message']}")
                result: dict[str, Any] = answer["result"]
                return result

    def _take(self, deadline: float) -> dict[str, Any]:
        """Return the next message; one that answers nothing is an event, and is kept."""
        while b"\0" not in self._unread:
            if not self._selector.select(max(0.0, deadline - time.monotonic())):
                raise ChromiumError("no answer in time")
            if not (read := os.read(self._of, 1 << 20)):
                raise ChromiumError("Chromium has ended")
            self._unread += read
        line, _, self._unread = self._unread.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        if "method" in message:
            self.events.append(message)
        return message


@contextmanager
def chromium(program: str) -> Iterator[Chromium]:
    """Run Chromium for the length of a block, with a profile of its own that goes with it."""
    commands, to = os.pipe()
    of, answers = os.pipe()
    root = ("--no-sandbox",) if os.geteuid() == 0 else ()  # as root it refuses to run in its sandbox
    with tempfile.TemporaryDirectory(prefix="doctor-browser-", ignore_cleanup_errors=True) as profile:
        arguments = (program, *OPTIONS, *root, f"--user-data-dir={profile}", "about:blank")
        process = subprocess.Popen(
            [sys.executable, "-c", BRIDGE, str(commands), str(answers), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(commands, answers),
        )
        os.close(commands)
        os.close(answers)
        try:
            yield Chromium(to, of)
        finally:
            os.close(to)
            process.terminate()
            process.wait(DEADLINE)
            os.close(of)
