"""Clerk's publishable key: ``pk_test_`` or ``pk_live_``, then base64 of the instance's host and a dollar sign."""

from __future__ import annotations

import base64
import binascii
import ipaddress


def issuer_of(publishable_key: str) -> str:
    """Return the issuer of an instance's tokens: the address of the host that its publishable key holds.

    Raises:
        ValueError: it is no publishable key.
    """
    encoded = publishable_key.removeprefix("pk_test_").removeprefix("pk_live_")
    if encoded == publishable_key:
        raise ValueError("a publishable key begins with pk_test_ or pk_live_")
    try:
        text = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise ValueError("what follows the prefix of a publishable key is base64, and this is not") from None
    host = text.removesuffix("$")
    if host == text or "." not in host or "/" in host:
        raise ValueError("this publishable key is cut off: it does not end with the host of an instance")
    return f"{'http' if is_this_machine(host) else 'https'}://{host}"


def is_this_machine(host: str) -> bool:
    """Tell whether a host, with or without a port, is a loopback address or ``localhost``."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return name == "localhost"
