"""Waits for the end of its supervisor, and ends what that left: ``python -m doctor.pipeline.sandbox.guardian DIR RUN``.

A supervisor that is killed cannot stop its processes. This one can: it holds the reading end of a pipe whose writing
end only the supervisor has, so the end of the pipe is the end of the supervisor, on every system, for every reason.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from doctor.pipeline.sandbox.layout import Layout
from doctor.pipeline.sandbox.processes import kill_run
from doctor.pipeline.sandbox.state import SandboxState, Status, read_state


def main(arguments: list[str]) -> int:
    """Block until standard input ends; then kill what the run has left."""
    directory, run = Path(arguments[0]), arguments[1]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    state = read_state(Layout(directory).state_file)
    if state is None or state.run != run:
        # Another run has begun in this folder, or the folder is gone: what it recorded is not ours.
        state = SandboxState(name="", directory=str(directory), status=Status.DEAD)
    killed = kill_run(state, run)
    if killed:
        sys.stderr.write(f"guardian: the supervisor is gone; ended {killed} processes that it left\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
