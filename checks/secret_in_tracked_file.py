"""Git tracks a file with secrets in it.

## What it finds
`.env` files and compose files that are in git's index and hold a password, a token or a key: by the variable's name, or
by the shape of the value (`sk-…`, `hf_…`, a private key, a password in a URL).

## Why it hurts
Whoever has a copy of the repository has the secret, for ever: removing the line does not remove it from the history.

## How it is told from its look-alikes
A file that git ignores, or does not know, is where secrets belong. Placeholders (`changeme`, `<your-key>`), references
(`${POSTGRES_PASSWORD}`), and the passwords of development that equal their user or are the default of an image, are no
secrets. In examples (`.env.example`) only what has the shape of a real key counts.

## How to fix
Replace the secret by a new one first. Then `git rm --cached .env`, and a line in `.gitignore`. Rewriting the history is
a decision of everyone who has a copy.

## False positives
A key for tests that opens nothing. Leave it out with `--ignore ENV004`, or give it the name of a placeholder.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from doctor.api import (
    Environment,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    NotApplicableError,
    Observation,
    Resource,
    Severity,
    TrackedSecret,
    check,
    counted,
    tracked_secrets,
)


@check("ENV004", "secret-in-tracked-file", severity=Severity.ERROR, tags=["live"], timeout=10.0)
async def secret_in_tracked_file(environment: Environment) -> AsyncIterator[Finding | Observation]:
    """Ask git for the files that it tracks, and look into those that set variables."""
    found = await asyncio.to_thread(tracked_secrets, environment.root)
    if found is None:
        raise NotApplicableError("this folder is in no git repository, or git is not installed")
    for path in dict.fromkeys(secret.path for secret in found):
        yield _finding(path, [secret for secret in found if secret.path == path])
    if not found:
        yield Observation("no secret in a file that git tracks", rules_out="secret in git")


def _finding(path: str, secrets: list[TrackedSecret]) -> Finding:
    names = ", ".join(f"`{secret.name}`" for secret in secrets[:5])
    return Finding(
        code="ENV004",
        resource=Resource("file", path, path, secrets[0].line),
        symptom=f"git tracks {path}, which holds {counted(len(secrets), 'secret')}: {names}",
        cause=f"`{Path(path).name}` is not in .gitignore, or was added before it was",
        severity=Severity.ERROR,
        impacts=("everyone with a copy of the repository has them",),
        evidence=(
            Evidence(EvidenceKind.GIT, "git ls-files", path),
            *(Evidence(EvidenceKind.CONFIG, f"{path}:{one.line}", f"{one.name}=({one.kind})") for one in secrets[:5]),
        ),
        rule="what git has tracked once stays in its history",
        fixes=(
            FixOption.by_hand(
                "replace the secrets by new ones, then stop tracking the file",
                "a secret that was pushed is known, whatever is done to the file",
                code=f"git rm --cached {path}",
            ),
        ),
        validation="doctor check --select ENV004",
    )
