"""Start the stand-in: ``python -m doctor.pipeline.sandbox.models --port 11434 [--model NAME …]``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import uvicorn

from doctor.pipeline.sandbox.models.application import build_application
from doctor.pipeline.sandbox.models.catalog import DEFAULT_MODELS, UnknownModelError
from doctor.pipeline.sandbox.models.identity import SERVER_HEADER, VERSION


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; returns 2 when a model is not known."""
    parser = argparse.ArgumentParser(prog="models", description="A stand-in that speaks Ollama's HTTP protocol.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, required=True, help="port to listen on")
    parser.add_argument("--model", action="append", dest="models", metavar="NAME", help="a model to have; repeatable")
    options = parser.parse_args(arguments)
    names = options.models or list(DEFAULT_MODELS)
    try:
        application = build_application(names)
    except UnknownModelError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stderr.write(
        f"Ollama stand-in {VERSION}: no model runs here, answers are computed from the text. "
        f"http://{options.host}:{options.port} with {', '.join(names)}\n"
    )
    sys.stderr.flush()
    uvicorn.run(
        application,
        host=options.host,
        port=options.port,
        log_level="info",
        server_header=False,
        headers=[("Server", SERVER_HEADER)],
        timeout_graceful_shutdown=1,
        # Nothing here is colourful when it is read from a file.
        use_colors=False,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
