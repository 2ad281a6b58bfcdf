"""``doctor list``: what there is."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from doctor.commands.options import presentation_options
from doctor.commands.output import Output, registry
from doctor.verdict import ExitCode


@click.command("list")
@click.argument("kind", type=click.Choice(["checks", "fixes", "formats", "plugins"]), default="checks")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@presentation_options
def list_command(kind: str, form: str, output: Output) -> int:
    """List checks (default), fixes, formats or plugins, one a line."""
    plugins = registry()
    rows: dict[str, list[dict[str, str]]] = {
        "checks": [
            {
                "code": check.code,
                "name": check.name,
                "severity": str(check.severity),
                "tags": ",".join(sorted(check.tags)),
                "summary": check.summary,
            }
            for check in sorted(plugins.checks.values(), key=lambda check: check.code)
        ],
        "fixes": [
            {
                "name": fix.name,
                "phase": fix.phase.name.lower(),
                "undo": "undo" if fix.reverts else "no undo",
                "title": fix.title,
            }
            for fix in plugins.fixes.values()
        ],
        "formats": [
            {"name": report.name, "for": "machine" if report.machine else "people", "title": report.title}
            for report in plugins.reports.values()
        ],
        "plugins": [{"name": name} for name in sorted(set(plugins.origins.values()))]
        + [{"name": "problem", "problem": problem} for problem in plugins.problems],
    }
    if form == "json":
        output.write(json.dumps(rows[kind], indent=1, ensure_ascii=False) + "\n")
    else:
        output.write(table([list(row.values()) for row in rows[kind]]))
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
