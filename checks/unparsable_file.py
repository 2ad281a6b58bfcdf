"""A Python file cannot be parsed, so nothing in it was examined.

## What it finds
A file of the target that is no valid Python for the interpreter that runs the doctor: a syntax error, merge
conflict markers that were committed, a broken encoding, null bytes, or nesting beyond any parser. An error when the
file holds conflict markers or is imported by another file; otherwise an info. A file or a folder that may not be read,
or whose path is longer than the system allows, leaves the question open.

## Why it hurts
Importing the module fails. Where the import stands in a broad `except`, the feature behind it is simply absent, and
nobody is told. To the doctor, such a file is a blind spot: silence about it is not health. Where no file at all can
be parsed the run is incomplete, and never green.

## How it is told from its look-alikes
Conflict markers count only as a complete set (`<<<<<<<`, `=======`, `>>>>>>>` at the start of lines) in a file that
does not parse. Inside a string of a valid file they are text. Templates that merely end in `.py` are infos, because
no code imports them; silent where a name in their path is still to be filled in, as in `{{app_label}}/main.py`.

## How to fix
Resolve the conflict, or correct the syntax at the line shown; then run the check again.

## False positives
A file written for a newer Python than the one that runs the doctor; the message names the version. Run the doctor
with the target's own Python.
"""

from collections.abc import Iterator

from doctor.api import (
    Applicability,
    CouldNotTellError,
    Evidence,
    EvidenceKind,
    Example,
    Finding,
    FixOption,
    Observation,
    Resource,
    Role,
    Severity,
    Source,
    Unparsable,
    UnparsableKind,
    check,
)

PATH_SHOWN = 120
"""Characters of a path in a sentence that ends with the reason; folders may be nested beyond 4,096 bytes."""

IMPORTERS_SHOWN = 3

_CONFLICT = "LIMIT = 1\n<<<<<<< HEAD\nDELAY = 2\n=======\nDELAY = 3\n>>>>>>> feature\n"

BAD = (
    Example("committed conflict markers", {"app/__init__.py": "", "app/limits.py": _CONFLICT}),
    Example(
        "a syntax error in a module that is imported",
        {"app/__init__.py": "", "app/limits.py": "DELAY = (1,\n", "app/main.py": "from .limits import DELAY\n"},
    ),
    Example("a syntax error that nobody imports", {"script.py": "print 'hello'\n", "app.py": "print('hello')\n"}),
)

GOOD = (
    Example("conflict markers inside a string", {"test_merge.py": f'TEXT = """\n{_CONFLICT}"""\n'}),
    Example(
        "a template of a project to be",
        {"main.py": "", "templates/{{app_label}}/main.py": "from {{ app_label }} import app\n"},
    ),
    Example("a byte order mark and an old encoding", {"old.py": "\ufeff# -*- coding: utf-8 -*-\nNAME = 'é'\n"}),
)


@check("DOC010", "unparsable-file", severity=Severity.INFO, tags=["static"], timeout=20.0, bad=BAD, good=GOOD)
def unparsable_file(source: Source) -> Iterator[Finding | Observation]:
    """Report each file that could not be read as Python."""
    unreadable = [file for file in source.unparsable() if file.kind is UnparsableKind.UNREADABLE]
    for file in source.unparsable():
        if file not in unreadable and not _is_template(file):
            yield _finding(file)
    unchecked = source.facts.unchecked
    parsed = len(source.files) - unchecked - len(source.unparsable())
    words = f"{parsed} of {len(source.files)} Python files parsed"
    yield Observation(words + (f"; {unchecked} were searched as text only, the tree is large" if unchecked else ""))
    if unreadable:
        more = f" and {len(unreadable) - 1} more" if len(unreadable) > 1 else ""
        raise CouldNotTellError(f"`{_end(unreadable[0].path)}`{more} cannot be read: {unreadable[0].message}")
    if source.files and len(source.unparsable()) == len(source.files):
        raise CouldNotTellError("no Python file of the target can be parsed, so nothing in it was examined")


def _end(path: str) -> str:
    """Return a path, or the end of a very long one."""
    return path if len(path) <= PATH_SHOWN else f"…{path[-PATH_SHOWN:]}"


def _is_template(file: Unparsable) -> bool:
    """Whether the path has a placeholder of Jinja, as in templates of cookiecutter: no module can have such a name."""
    return "{{" in file.path and file.kind is UnparsableKind.SYNTAX and not file.has_conflict_markers


def _finding(file: Unparsable) -> Finding:
    serious = file.has_conflict_markers or bool(file.imported_by)
    what = "merge conflict markers were committed" if file.has_conflict_markers else f"{file.kind}: {file.message}"
    place = file.path if file.line is None else f"{file.path}:{file.line}"
    return Finding(
        code="DOC010",
        resource=Resource("module", file.module, file.path, file.line),
        symptom=f"`{file.path}` cannot be parsed",
        cause=what,
        severity=Severity.ERROR if serious else Severity.INFO,
        role=Role.CAUSE if serious else Role.ADVICE,
        impacts=(
            *(("every import of the module fails",) if file.imported_by else ()),
            "no check could look into this file",
        ),
        evidence=(
            Evidence(EvidenceKind.CODE, place, what if file.has_conflict_markers else file.message),
            *(
                Evidence(EvidenceKind.CODE, f"{site.path}:{site.line}", site.text)
                for site in file.imported_by[:IMPORTERS_SHOWN]
            ),
        ),
        rule="python: importing a file that does not parse raises SyntaxError" if file.imported_by else "",
        fixes=(
            FixOption(
                fix="manual",
                title=f"correct {place}",
                applicability=Applicability.MANUAL,
                reason="only you know which side of the file is meant",
                arguments={"path": file.path, "line": file.line},
            ),
        ),
        validation="doctor check --select DOC010",
    )
