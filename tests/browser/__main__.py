"""``make test-browser``: see that there is a Chromium, then look at the report in it.

Debian's own is installed where that is allowed: as root, by apt. ``--if-possible`` is for a gate that must not fail
where none can be had; it says so then, and looks at nothing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.browser.chromium import installed

PATIENCE = 150
"""Seconds for apt: 113 MB from a mirror that answers."""

APT = ("apt-get", "-qq", "-o", "Acquire::Retries=0", "-o", "Acquire::http::Timeout=10")
PAGES = Path(__file__).with_name("pages.py")


def install() -> str:
    """Install Debian's Chromium, and return why that was not possible; nothing where it was."""
    if shutil.which("apt-get") is None:
        return "no apt-get here"
    if os.geteuid() != 0:
        return "only root may install it"
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    sys.stdout.write("test-browser: no Chromium here; apt-get install chromium\n")
    sys.stdout.flush()
    for words in (("update",), ("install", "-y", "--no-install-recommends", "chromium")):
        try:
            done = subprocess.run(
                [*APT, *words], env=quiet, timeout=PATIENCE, capture_output=True, text=True, check=False
            )
        except subprocess.TimeoutExpired:
            return f"apt-get {words[0]} took more than {PATIENCE} s"
        if done.returncode != 0:
            return f"apt-get {words[0]}: {(done.stderr.strip().splitlines() or ['failed'])[-1]}"
    return ""


def main(arguments: list[str]) -> int:
    """Run the tests of the pages; 0 also where they cannot run and need not."""
    why = "" if installed() else install()
    if installed() is None:
        sys.stdout.write(f"test-browser: NOT RUN, there is no Chromium ({why}); on Debian: apt install chromium\n")
        return 0 if "--if-possible" in arguments else 1
    return subprocess.run([sys.executable, "-m", "pytest", "-q", PAGES], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
