"""Host names and addresses: resolved within a deadline, and told apart from those beyond this machine."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import threading


async def resolve(host: str, port: int, timeout: float) -> None:
    """Make sure that ``host`` resolves, within ``timeout`` seconds.

    The event loop's own resolver runs in a pool whose threads are waited for at the end of the program, so that a DNS
    server that does not answer would hold the doctor for its own, longer, deadline. This one asks in a daemon thread.

    Raises:
        socket.gaierror: the name is unknown here.
        TimeoutError: no answer in time.
    """
    if is_numeric(host):
        return
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[None] = loop.create_future()

    def settle(error: OSError | None) -> None:
        if answer.done():
            return
        if error is None:
            answer.set_result(None)
        else:
            answer.set_exception(error)

    def ask() -> None:
        error: OSError | None = None
        try:
            socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as failure:
            error = failure
        except UnicodeError:  # a label that is empty or longer than 63 characters
            error = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, error)

    threading.Thread(target=ask, name=f"resolve {host}", daemon=True).start()
    async with asyncio.timeout(timeout):
        await answer


def is_numeric(host: str) -> bool:
    """Tell whether ``host`` is an IP address, with or without brackets and zone."""
    try:
        ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Tell whether ``host`` is this machine: a loopback address, ``localhost``, or the folder of a Unix socket."""
    bare = host.strip("[]").lower()
    if not bare or bare.startswith(("/", "@")) or bare == "localhost" or bare.endswith(".localhost"):
        return True
    return is_numeric(bare) and ipaddress.ip_address(bare.partition("%")[0]).is_loopback


def in_url(host: str) -> str:
    """Return ``host`` as it stands in a URL: IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
