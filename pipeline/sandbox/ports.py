"""Free ports on the loopback interface."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Container

#: Below the range from which operating systems take the ports of outgoing connections (32768 on Linux, 49152 on
#: others): such a connection cannot take a port that a server gives up for the moment of its restart.
LOWEST, HIGHEST = 20_000, 32_000
ATTEMPTS = 200


def is_free(port: int) -> bool:
    """Tell whether a server could listen on a port of 127.0.0.1 now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As the servers do: the remains of closed connections are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
        return True


def free_port(taken: Container[int] = (), pick: Callable[[int, int], int] = random.randint) -> int:
    """Return a port that is free now; another process can still take it, so starting on it may have to be tried again.

    Raises:
        OSError: none was found.
    """
    for _ in range(ATTEMPTS):
        port = pick(LOWEST, HIGHEST)
        if port not in taken and is_free(port):
            return port
    raise OSError(f"no free port between {LOWEST} and {HIGHEST} on 127.0.0.1; stop some servers and try again")
