"""What must hold before the first canary is sent: a proof that could not clean up after itself is refused."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from doctor.canary import Canaries
from doctor.canary_rows import reachable, resolve
from doctor.chain import Chain
from doctor.chain_progress import stalled_rows
from doctor.resources.catalog import Table, tables_like
from doctor.target import Target

if TYPE_CHECKING:
    from doctor.resources.database import Database

_REQUEST_TARGET = re.compile(r"[A-Z]+ /[!-~]*")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A header's name is a token (RFC 9110, 5.6.2)."""

_WHOLE_NUMBERS = frozenset({"bigint", "numeric"})
"""Types that hold the group of the canaries, a number of 13 digits."""

_TEXTS = ("text", "character varying", "varchar")


_RIGHTS = "SELECT has_table_privilege(%(table)s, 'SELECT') AND has_table_privilege(%(table)s, 'DELETE')"


class VerificationRefusedError(Exception):
    """The verification would not be safe or not be possible; the message says why and what to do."""


async def require_conditions(target: Target, chain: Chain, canaries: Canaries, database: Database) -> str:
    """Look at everything that the proof relies on and return the API's base URL. Nothing is written.

    Raises:
        VerificationRefusedError: with the first thing that is missing.
    """
    base = _base_url(target)
    _check_chain(chain)
    if chain.isolated_by is None:
        threshold = next((stage for stage in chain.stages if stage.threshold), None)
        waiting = await stalled_rows(database, chain, threshold) if threshold else ()
        raise VerificationRefusedError(
            "canaries could share an extraction with other messages"
            + (f" ({len(waiting)} wait now)" if waiting else "")
            + ": name the column that keeps them apart as `isolated_by` in [chain]"
        )
    if canaries.count < chain.message_threshold:
        raise VerificationRefusedError(
            f"{canaries.count} canaries never reach the threshold of {chain.message_threshold}"
        )
    tables = {table.name: table for table in await tables_like(database, ())}
    messages = _check_tables(chain, tables)
    await _check_rights(database, messages, tables)
    return base


def _base_url(target: Target) -> str:
    base = target.variable(target.configuration.target.api_env)
    if base is None:
        raise VerificationRefusedError("no API_URL in .env or the environment: where should the canaries be sent?")
    try:
        parts = urlsplit(base.value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise VerificationRefusedError(
            f"{base.name} (from {base.origin}) is no address such as http://127.0.0.1:8000: correct it"
        )
    return base.value.rstrip("/")


def _check_chain(chain: Chain) -> None:
    for what, text in (("entry", chain.entry), ("search", chain.search)):
        if text is not None and not _REQUEST_TARGET.fullmatch(text):
            raise VerificationRefusedError(f"`{what}` in [chain] is not of the form `POST /path`")
    if chain.secret_header is not None and not _HEADER.fullmatch(chain.secret_header):
        raise VerificationRefusedError("`secret_header` in [chain] is no name of a header")
    for stage in chain.stages:
        if stage.table is None or stage.column is None:
            raise VerificationRefusedError(
                f"stage {stage.name!r} names no table and column, so nobody can tell whether a canary passed it: "
                "add them in [[chain.stage]]"
            )


def _check_tables(chain: Chain, tables: dict[str, Table]) -> Table:
    messages = resolve(tables, chain.message_table)
    if messages is None:
        raise VerificationRefusedError("the `message_table` of [chain] is not in the database")
    if len(messages.primary_key) != 1:
        raise VerificationRefusedError(f"{messages.name} needs a primary key of one column")
    _require_column(messages, chain.content, "content", _TEXTS)
    assert chain.isolated_by is not None
    if messages.columns.get(chain.isolated_by) not in _WHOLE_NUMBERS:
        raise VerificationRefusedError(
            f"`isolated_by` in [chain] must be a bigint column of {messages.name}: canaries get a number of their own"
        )
    for stage in chain.stages:
        table = resolve(tables, stage.table or "")
        if table is None:
            raise VerificationRefusedError(f"the table of stage {stage.name!r} is not in the database")
        _require_column(table, stage.column or "", f"column of stage {stage.name!r}")
        if table != messages:
            shared = stage.produced_by or "topic_id"
            for each in (table, messages):
                _require_column(each, shared, f"produced_by of stage {stage.name!r}")
    return messages


def _require_column(table: Table, column: str, what: str, types: tuple[str, ...] = ()) -> None:
    found = table.columns.get(column)
    if found is None:
        raise VerificationRefusedError(f"{table.name} has no such column as the {what} in [chain]")
    if types and not found.startswith(types):
        raise VerificationRefusedError(f"the {what} in [chain] must be a text column of {table.name}")


async def _check_rights(database: Database, messages: Table, tables: dict[str, Table]) -> None:
    """Require what the removal needs, on every table that canaries can bring rows into being in."""
    for table in reachable(messages, tables):
        if not await database.scalar(_RIGHTS, {"table": table.quoted.as_string()}):
            raise VerificationRefusedError(
                f"this role may not read and delete rows of {table.name}, so what comes of the canaries could not be "
                "removed: use a role that may"
            )
