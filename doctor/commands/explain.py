"""``doctor explain``: the page of a check or a fix."""

from __future__ import annotations

import json
from difflib import get_close_matches

import click

from doctor.check import Check
from doctor.commands.options import presentation_options
from doctor.commands.output import Output, registry
from doctor.own_results import PAGES
from doctor.verdict import ExitCode


@click.command("explain")
@click.argument("code")
@click.option("--format", "style", type=click.Choice(["markdown", "json"]), default="markdown", show_default=True)
@presentation_options
def explain_command(code: str, style: str, output: Output) -> int:
    """Show the page of CODE: what it finds, why it hurts, its look-alikes, how to fix it, false positives.

    CODE is a code (TSK001), a check's name (task-decorator-order), a fix's name, or ALL for the pages of all checks.
    """
    plugins = registry()
    if code.upper() == "ALL":
        checks = [plugins.checks[each] for each in sorted(plugins.checks)]
        pages = "\n".join(as_page(check) for check in checks)
        data = json.dumps([as_data(check) for check in checks], indent=2, ensure_ascii=False) + "\n"
        output.write(data if style == "json" else pages)
        return int(ExitCode.OK)
    found = next((check for check in plugins.checks.values() if code.upper() == check.code or code == check.name), None)
    if found is not None:
        output.write(
            json.dumps(as_data(found), indent=2, ensure_ascii=False) + "\n" if style == "json" else as_page(found)
        )
        return int(ExitCode.OK)
    if code in plugins.fixes:
        output.write(f"# {code}\n\n{plugins.fixes[code].page.strip()}\n")
        return int(ExitCode.OK)
    if (page := PAGES.get(code.upper())) is not None:
        output.write(json.dumps({"code": code.upper(), "page": page}, indent=2) + "\n" if style == "json" else page)
        return int(ExitCode.OK)
    names = [*plugins.checks, *PAGES, *(check.name for check in plugins.checks.values()), *plugins.fixes]
    near = get_close_matches(code, names, n=1) or get_close_matches(code.upper(), names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "`doctor list` shows them all."
    raise click.UsageError(f"no check and no fix {code!r}; {hint}")


def as_page(check: Check) -> str:
    """Return the page as Markdown, with its examples."""
    head, _, body = check.page.partition("\n")
    parts = [f"# {check.code} {check.name}\n\n{head}\n\n*{check.severity} · {', '.join(sorted(check.tags))}*\n{body}\n"]
    for title, examples in (("Found", check.bad[:1]), ("Not found", check.good[:1])):
        for example in examples:
            parts.append(f"\n## {title}: {example.title}\n")
            files = {path: text.strip() for path, text in example.files.items() if text.strip()}
            parts += [f"\n`{path}`\n\n```python\n{text}\n```\n" for path, text in files.items()]
    return "".join(parts)


def as_data(check: Check) -> dict[str, object]:
    """Return the page and metadata as plain data."""
    return {
        "code": check.code,
        "name": check.name,
        "summary": check.summary,
        "severity": str(check.severity),
        "tags": sorted(check.tags),
        "after": list(check.after),
        "needs": list(check.needs),
        "causes": [{"effect": mechanism.effect, "how": mechanism.how} for mechanism in check.mechanisms],
        "page": check.page,
    }
