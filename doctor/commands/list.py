"""``doctor list``: what there is."""

from __future__ import annotations

from collections.abc import Sequence

import click

from doctor.commands.options import presentation_options
from doctor.commands.output import Output, registry
from doctor.verdict import ExitCode


@click.command("list")
@click.argument("kind", type=click.Choice(["checks", "fixes", "formats", "plugins"]), default="checks")
@presentation_options
def list_command(kind: str, output: Output) -> int:
    """List checks (default), fixes, formats or plugins, one a line."""
    plugins = registry()
    rows: dict[str, list[Sequence[str]]] = {
        "checks": [
            (check.code, check.name, str(check.severity), ",".join(sorted(check.tags)), check.summary)
            for check in sorted(plugins.checks.values(), key=lambda check: check.code)
        ],
        "fixes": [
            (fix.name, fix.phase.name.lower(), "undo" if fix.reverts else "no undo", fix.title)
            for fix in plugins.fixes.values()
        ],
        "formats": [
            (report.name, "machine" if report.machine else "people", report.title)
            for report in plugins.reports.values()
        ],
        "plugins": [(name,) for name in sorted(set(plugins.origins.values()))]
        + [("problem", problem) for problem in plugins.problems],
    }
    output.write(table(rows[kind]))
    return int(ExitCode.OK)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as aligned columns; the last column is as long as it is."""
    columns = range(max(map(len, rows), default=1) - 1)
    widths = [max(len(row[column]) for row in rows if len(row) > column + 1) for column in columns]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=False)), row[-1]])
        for row in rows
    ]
    return "".join(f"{line.rstrip()}\n" for line in lines)
