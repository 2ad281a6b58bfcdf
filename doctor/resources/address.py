"""Host names and addresses: resolved within a deadline, and told apart from those beyond this machine."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import threading
from urllib.parse import urlsplit


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


def may_carry_a_secret(url: str) -> bool:
    """Tell whether a key or a token may be sent to an address: with TLS, or on this machine."""
    try:
        parts = urlsplit(url)
        return parts.scheme == "https" or is_loopback(parts.hostname or "nowhere")
    except ValueError:
        return False


def same_origin(one: str, other: str) -> bool:
    """Tell whether two URLs lead to one server by one scheme, so that what is meant for one may go to the other."""
    try:
        places = {(parts.scheme, parts.hostname, parts.port) for parts in (urlsplit(one), urlsplit(other))}
    except ValueError:
        return False
    return len(places) == 1


def next_hop(url: str) -> tuple[str, int]:
    """Return host and port that a client connects to for ``url``: the proxy of this environment, if one is meant.

    A name beyond a proxy is resolved by the proxy, and often not known here. This machine is asked without one.

    Raises:
        ValueError: a port is not a number.
    """
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(url)
    host, default = parts.hostname or "", 80 if parts.scheme == "http" else 443
    proxies = {} if is_loopback(host) or proxy_bypass(host) else getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all") or ""
    if not proxy:
        return host, parts.port or default
    between = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    return between.hostname or host, between.port or {"https": 443, "socks5": 1080}.get(between.scheme, 80)


def in_url(host: str) -> str:
    """Return ``host`` as it stands in a URL: IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
