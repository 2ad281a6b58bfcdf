"""Removing what a sandbox made: its files, and what it left on servers that are not its own."""

from __future__ import annotations

import asyncio
import contextlib
import shutil

from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from doctor.pipeline.sandbox import nats, postgres
from doctor.pipeline.sandbox.addresses import Addresses
from doctor.pipeline.sandbox.errors import StartError
from doctor.pipeline.sandbox.layout import Layout
from doctor.pipeline.sandbox.plan import Plan, read_plan


def remove(layout: Layout) -> None:
    """Remove a sandbox that is stopped, with the records of its examinations. Other files stay, and their folder too.

    Raises:
        StartError: its database or its stream on a server that was given could not be removed; the files are kept then.
    """
    plan = read_plan(layout.plan_file)
    _remove_from_given(layout, plan)
    for folder in (layout.app, layout.data, layout.logs, layout.records):
        shutil.rmtree(folder, ignore_errors=True)
    files = (layout.env_file, layout.doctor_toml, layout.state_file, layout.compose_file, layout.report_file)
    for file in files:
        file.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        layout.directory.rmdir()


def _remove_from_given(layout: Layout, plan: Plan) -> None:
    if "postgres" in plan.given:
        postgres.drop_database(Addresses(plan).server_url, plan.database)
    if "nats" in plan.given and (layout.data / "nats" / "stream_is_ours").exists():
        try:
            asyncio.run(nats.delete_stream(plan.nats_url))
        except NotFoundError:
            pass
        except (NatsError, OSError, TimeoutError) as error:
            raise StartError(
                f"the stream {nats.STREAM!r} could not be removed from the NATS server: {error}; remove it by hand"
            ) from error
