"""Start the stand-in: ``python -m doctor.pipeline.sandbox.keys --port 20400 [--issuer URL] [--key-file FILE]``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from doctor.pipeline.sandbox.keys.application import KeyServer, build_application
from doctor.pipeline.sandbox.keys.instance import Instance
from doctor.pipeline.sandbox.keys.key_file import kept_key

SECRET_KEY_VARIABLE = "CLERK_SECRET_KEY"  # noqa: S105 - the name of a variable
"""Holds the secret key that opens ``/v1/jwks``: an argument would be seen by everybody on the machine."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="keys", description="A stand-in for an identity provider.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, required=True, help="port to listen on")
    parser.add_argument("--issuer", help="the issuer of its tokens (default: its own address)")
    parser.add_argument("--key-file", type=Path, help="where the signing key is kept from one start to the next")
    options = parser.parse_args(arguments)
    issuer = options.issuer or f"http://{options.host}:{options.port}"
    key = kept_key(options.key_file) if options.key_file else None
    server = KeyServer(Instance(issuer, key, os.environ.get(SECRET_KEY_VARIABLE, "")))
    sys.stderr.write(f"identity provider stand-in: its tokens open nothing but a sandbox. {issuer}\n")
    sys.stderr.flush()
    uvicorn.run(
        build_application(server),
        host=options.host,
        port=options.port,
        log_level="info",
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=1,
        use_colors=False,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
