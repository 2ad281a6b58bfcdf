"""Results that come from no check: what doctor says about itself, with a page each, as checks have."""

from __future__ import annotations

PAGES = {
    "DOC001": """\
# DOC001 plugin-not-usable

A plugin could not be imported, one of its hooks raised, or it brings a code or name that is taken. What it would have
checked is not known, so the run is incomplete (3). Everything else ran.

## How to fix
The reason names the plugin and the error: install what it lacks, correct it, or take it away. `doctor list plugins`
shows what is loaded. A plugin is a distribution with an entry point in the group `doctor`, or a file that `plugins` in
doctor.toml names.
""",
    "DOC002": """\
# DOC002 environment-file-not-readable

A `.env` file is there and could not be read. What it would have configured is not known, so that nothing that was
skipped may be called absent, and the run is incomplete (3).

## How to fix
The reason names the file and why. Let the user that runs doctor read it, or put the variables into the environment.
""",
    "DOC012": """\
# DOC012 suppression-out-of-date

A decision to leave findings out does not hold any more: the last day of an `[[ignored]]` entry is over, so that what it
ignored counts again; an entry ignores nothing that its check finds; or entries of the baseline are gone.

## Why it hurts
What silences nothing misleads whoever reads it, and silences the next case that happens to match.

## How to fix
Look again, then set a new day or delete the entry. `doctor baseline prune` takes out what is gone.

## False positives
An entry for a check that is not selected, is skipped or could not tell is never reported.
""",
}
"""Code → page in Markdown."""
