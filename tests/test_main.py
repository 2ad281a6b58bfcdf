"""Every ending of the command line: its exit code, its words, and what stays silent."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from doctor.cli import COMMANDS
from doctor.main import main
from tests import forked_doctor
from tests.command_line import DEADLINE, command, environment, install, run
from tests.example_runs import BUILT_INS

ANSI = re.compile(r"\x1b\[")
CONFLICT = "LIMIT = 1\n<<<<<<< HEAD\nDELAY = 2\n=======\nDELAY = 3\n>>>>>>> feature\n"

PLUGIN = """
import asyncio
import pathlib

from doctor.api import Report, Severity, check, hookimpl


@check("ZZZ001", "never-comes-back", severity=Severity.ERROR, tags=["static"], timeout=60.0)
async def never_comes_back(environment):
    (environment.root / "started").touch()
    await asyncio.sleep(60)
    yield


def render(run, presentation):
    raise RuntimeError("this format has a bug")


def render_interrupted(run, presentation):
    exec("raise KeyboardInterrupt")


@hookimpl
def doctor_checks():
    return [never_comes_back]


@hookimpl
def doctor_reports():
    return [Report("buggy", "raises", True, render), Report("left", "is left", True, render_interrupted)]
"""


@pytest.fixture(autouse=True)
def no_addresses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Run in a folder of our own, without any address of a target."""
    for name in set(os.environ) - set(environment()):
        monkeypatch.delenv(name)
    (tmp_path / "target").mkdir()
    monkeypatch.chdir(tmp_path / "target")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "target"


@pytest.fixture
def healthy(target: Path) -> Path:
    (target / "app.py").write_text("LIMIT = 1\n")
    return target


@pytest.fixture
def sick(target: Path) -> Path:
    (target / "app.py").write_text(CONFLICT)
    (target / "sound.py").write_text("")
    return target


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Call ``main`` in this process and return code, stdout and stderr."""
    code = main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


# Starting.


def test_the_version_costs_no_import_of_a_library(target: Path):
    program = (
        "import sys; from doctor.main import main; code = main(['--version']); "
        "heavy = {'click', 'pydantic', 'psycopg', 'rich', 'httpx', 'nats', 'jinja2', 'libcst', 'pluggy', 'asyncio'}; "
        "print(code, sorted(heavy & set(sys.modules)))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program], cwd=target, env=environment(), check=True, capture_output=True, text=True
    ).stdout
    assert re.fullmatch(r"doctor \d+\.\d+\.\d+\n0 \[\]\n", shown)


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_the_version_is_one_line(capsys, option: str):
    code, out, err = call(capsys, option)
    assert (code, err) == (0, "")
    assert re.fullmatch(r"doctor \d+\.\d+\.\d+\n", out)


@pytest.mark.parametrize("arguments", [("--help",), ("-h",), *((name, "--help") for name in COMMANDS)], ids=" ".join)
def test_every_command_has_its_help(capsys, arguments: tuple[str, ...]):
    code, out, err = call(capsys, *arguments)
    assert (code, err) == (0, "")
    assert out.startswith("Usage: doctor")
    assert all(len(line) <= 100 for line in out.splitlines())


def test_the_help_lists_every_command_in_the_order_of_a_first_encounter(capsys):
    _, out, _ = call(capsys, "--help")
    assert re.findall(r"^  ([a-z]+)  ", out.partition("Commands:")[2], re.MULTILINE) == list(COMMANDS)


def test_a_command_that_is_asked_for_help_loads_no_other_command(target: Path):
    program = (
        "import sys; from doctor.main import main; main(['list', '--help']); "
        "print([name for name in sys.modules if name.startswith('doctor.commands.')])"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program], cwd=target, env=environment(), check=True, capture_output=True, text=True
    ).stdout
    assert "doctor.commands.fix" not in shown
    assert "doctor.commands.list" in shown


# ``check`` is implied, and only where it is meant.


def test_without_a_command_this_folder_is_checked(capsys, healthy: Path):
    code, out, _ = call(capsys)
    assert (code, re.search(r"nothing found; \d+ of \d+ checks skipped", out) is not None) == (0, True)


def test_an_option_or_a_path_means_check(capsys, sick: Path, tmp_path: Path):
    assert call(capsys, "--offline")[0] == 1
    assert call(capsys, str(sick))[0] == 1
    assert call(capsys, "app.py")[0] == 1
    assert call(capsys, "..")[0] == 1


def test_a_folder_named_like_a_command_needs_the_command(capsys, healthy: Path):
    (healthy / "list").mkdir()
    assert "TSK001" in call(capsys, "list")[1]
    assert call(capsys, "check", "list")[0] == 3


@pytest.mark.parametrize(
    "word, near", [("chekc", "check"), ("Fix", "fix"), ("explian", "explain"), ("verfy", "verify")]
)
def test_a_misspelled_command_is_told_with_the_one_that_was_meant(capsys, word: str, near: str):
    code, out, err = call(capsys, word)
    assert (code, out) == (2, "")
    assert f"no command and no path {word!r}; did you mean {near!r}?" in err


@pytest.mark.parametrize(
    "word", ["zzzzzz", "no/such/path", "x" * 5000, "\x00", "*", "é\udce9"], ids=lambda word: ascii(word[:20])
)
def test_a_word_that_means_nothing_is_a_usage_error(capsys, word: str):
    code, out, err = call(capsys, word)
    assert (code, out) == (2, "")
    assert "Traceback" not in err
    assert "`doctor --help` lists the commands." in err


# Exit codes.


def test_an_empty_folder_is_incomplete(capsys):
    code, out, err = call(capsys, "check")
    assert (code, err) == (3, "")
    assert "NOTHING TO CHECK" in out
    assert "no DATABASE_URL in .env or the environment" in " ".join(out.split())


def test_what_an_unreadable_env_file_would_say_is_not_called_absent(capsys, healthy: Path):
    (healthy / ".env").write_bytes(b"#" * 1_000_001)
    code, out, _ = call(capsys)
    assert code == 3
    assert "COULD NOT TELL  DOC002 environment-file-not-readable: .env: is larger than" in out
    assert call(capsys, "--offline")[0] == 0


def test_a_line_of_an_env_file_that_sets_nothing_is_named_where_its_variable_is_missed(capsys, healthy: Path):
    (healthy / ".env").write_text("DATABASE_URL: postgresql://localhost/app\n")
    code, out, _ = call(capsys)
    assert code == 0
    assert "no DATABASE_URL in .env or the environment; .env:1: is not NAME=value" in " ".join(out.split())


def test_a_folder_of_that_name_is_no_env_file(capsys, healthy: Path):
    (healthy / ".env").mkdir()
    assert call(capsys)[0] == 0


def test_a_clean_project_is_healthy(capsys, healthy: Path):
    assert call(capsys, "check")[0] == 0


def test_findings_fail_the_gate_from_the_asked_severity_on(capsys, sick: Path):
    assert call(capsys, "check")[0] == 1
    assert call(capsys, "check", "--fail-on", "critical")[0] == 0
    assert call(capsys, "check", "--fail-on", "never")[0] == 0
    (sick / "app.py").write_text("print 'nobody imports this'\n")
    assert call(capsys, "check")[0] == 0
    assert call(capsys, "check", "--fail-on", "info")[0] == 1


def test_the_gate_of_the_configuration_holds_unless_the_command_line_says_otherwise(capsys, sick: Path):
    (sick / "doctor.toml").write_text('fail_on = "never"\n')
    assert call(capsys, "check")[0] == 0
    assert call(capsys, "check", "--fail-on", "error")[0] == 1


@pytest.mark.parametrize("form", ["text", "json", "markdown"])
def test_the_exit_code_is_the_same_in_every_format(capsys, sick: Path, form: str):
    assert call(capsys, "check", "--format", form)[0] == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "--nonsense"),
        ("check", "nowhere"),
        ("check", "--select", "QQQ001"),
        ("check", "--select", "TSK0011"),
        ("check", "--ignore", "QQQ"),
        ("check", "--tag", "purple"),
        ("check", "--fail-on", "never-ever"),
        ("check", "--format", "xml"),
        ("check", "--format", "json:"),
        ("check", "--timeout", "0"),
        ("check", "--timeout", "-1"),
        ("check", "--timeout", "soon"),
        ("check", "--total-timeout", "nan"),
        ("check", "--config", "missing.toml"),
        ("check", "--config", "."),
        ("fix", "--batch-size", "0"),
        ("fix", "--diff", "QQQ001"),
        ("verify", "--canaries", "0"),
        ("explain",),
        ("explain", "QQQ001"),
        ("list", "nonsense"),
        ("report",),
        ("report", "20260101T000000Z-0000"),
        ("report", "--from", "missing.json"),
        ("undo", "20260101T000000Z-0000"),
        ("sandbox",),
        ("sandbox", "nonsense"),
        ("sandbox", "status", "nowhere"),
        ("sandbox", "status", "../elsewhere"),
        ("sandbox", "up", "n" * 300),
        ("sandbox", "up", ""),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_2_with_a_sentence(capsys, healthy: Path, arguments: tuple[str, ...]):
    code, out, err = call(capsys, *arguments)
    assert (code, out) == (2, "")
    assert "Traceback" not in err
    assert "Error: Usage" not in err
    assert err.strip()


@pytest.mark.parametrize(
    "name", [("check",), ("fix", "--yes"), ("verify",), ("undo",), ("report",)], ids=lambda n: n[0]
)
def test_a_malformed_configuration_is_2_with_one_sentence_and_no_traceback(capsys, healthy: Path, name: tuple):
    (healthy / "doctor.toml").write_text("fail-on = 'info'\n")
    code, out, err = call(capsys, *name)
    assert (code, out) == (2, "")
    assert err == f"doctor: {healthy}/doctor.toml:1: fail-on: unknown key; did you mean 'fail_on'?\n"


def test_a_configuration_that_cannot_be_read_is_2(capsys, healthy: Path):
    (healthy / "doctor.toml").write_bytes(b"\xff\xfe\x00")
    code, out, err = call(capsys, "check")
    assert (code, out) == (2, "")
    assert err == f"doctor: {healthy}/doctor.toml: is not UTF-8 text; save it as UTF-8\n"


def test_a_variable_that_is_no_number_is_2(capsys, healthy: Path):
    (healthy / "doctor.toml").write_text(
        '[chain]\nentry = "POST /x"\nmessage_table = "m"\nmessage_threshold = { env = "COUNT", default = 1 }\n'
        '[[chain.stage]]\nname = "saved"\n'
    )
    (healthy / ".env").write_text("COUNT=many\n")
    code, out, err = call(capsys, "check")
    assert (code, out) == (2, "")
    assert err == "doctor: environment variable COUNT: its value is not a number\n"


def test_an_unknown_code_in_the_configuration_is_2(capsys, healthy: Path):
    (healthy / "doctor.toml").write_text('ignore = ["QQQ"]\n')
    code, _, err = call(capsys, "check")
    assert code == 2
    assert "no check has a code that starts with 'QQQ'" in err


def test_a_selection_that_leaves_nothing_is_incomplete(capsys, healthy: Path):
    code, out, _ = call(capsys, "check", "--select", "TSK", "--ignore", "TSK")
    assert code == 3
    assert "NOTHING TO CHECK" in out


def test_a_dead_database_is_one_finding_and_not_an_error_of_every_check(capsys, healthy: Path):
    (healthy / ".env").write_text("DATABASE_URL=postgresql://app:hunter2@127.0.0.1:1/app\n")
    code, out, err = call(capsys, "check", "--format", "json")
    document = json.loads(out)
    assert (code, err) == (1, "")
    assert [finding["code"] for finding in document["findings"]] == ["PGS001"]
    assert document["checks"]["VEC001"]["blocked_by"] == "PGS001"
    assert [root["code"] for root in document["diagnosis"]["roots"]] == ["PGS001"]
    assert "hunter2" not in out


def test_offline_opens_nothing(capsys, healthy: Path):
    (healthy / ".env").write_text("DATABASE_URL=postgresql://127.0.0.1:1/app\n")
    code, out, _ = call(capsys, "check", "--offline", "--format", "json")
    assert code == 0
    assert set(json.loads(out)["checks"]) == {
        code for code, check in BUILT_INS.checks.items() if "static" in check.tags and "opt-in" not in check.tags
    }


# Writing is never done by accident.


@pytest.mark.parametrize("arguments", [("fix",), ("fix", "TSK001"), ("fix", "--unsafe-fixes")], ids=" ".join)
def test_without_a_terminal_and_without_yes_nothing_is_asked_and_nothing_done(sick: Path, arguments: tuple):
    done = forked_doctor.run(*arguments, cwd=sick)
    assert (done.returncode, done.stdout) == (2, "")
    assert "give --yes to apply safe fixes, or --diff to look at them" in done.stderr
    assert not (sick / ".doctor").exists()


def test_fix_and_undo_with_nothing_to_do_are_healthy(capsys, healthy: Path):
    assert call(capsys, "fix", "--yes")[0] == 0
    code, out, _ = call(capsys, "undo")
    assert (code, out) == (0, "nothing to undo: nothing that a run here wrote still stands\n")


def test_a_write_beyond_this_machine_needs_the_targets_name(capsys, healthy: Path):
    (healthy / ".env").write_text("DATABASE_URL=postgresql://app:hunter2@db.example.org/app\n")
    for arguments in (("fix", "--yes"), ("verify",), ("undo",)):
        code, out, err = call(capsys, *arguments)
        assert (code, out) == (2, "")
        assert "this would write beyond this machine" in err
        assert "repeat with --target target" in " ".join(err.split())
        assert "hunter2" not in err
        code, _, err = call(capsys, *arguments, "--target", "other")
        assert code == 2
        assert "this target is 'target', not 'other'" in err


def test_a_target_that_cannot_be_written_can_be_checked_and_previewed(capsys, sick: Path):
    (sick / ".doctor").write_text("in the way")
    assert call(capsys, "check")[0] == 1
    code, out, err = call(capsys, "fix", "--diff")
    assert (code, err) == (1, "nothing to repair: no finding has a repair that doctor can make\n")
    assert "DOC010" in out
    code, _, err = call(capsys, "fix", "--yes")
    assert code == 2
    assert "Traceback" not in err


@pytest.mark.parametrize("arguments", [("fix", "--yes"), ("sandbox", "up")], ids=" ".join)
def test_nothing_is_done_where_nothing_can_be_kept(capsys, sick: Path, arguments: tuple[str, ...]):
    (sick / ".doctor").touch()
    code, out, err = call(capsys, *arguments)
    assert (code, out) == (2, "")
    assert "Not a directory" in err
    assert "Traceback" not in err


def test_modules_of_the_target_are_never_taken_for_those_of_doctor(sick: Path):
    (sick / "click.py").write_text("raise SystemExit('the target was imported')\n")
    done = subprocess.run(
        [sys.executable, "-m", "doctor", "check"], cwd=sick, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (1, "")


# Streams that are closed or full, and texts that would command a terminal.


@pytest.mark.parametrize("redirection", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
@pytest.mark.parametrize("words", ["check", "check --format json", "fix --diff", "undo", "list", "report", "--version"])
def test_a_closed_stream_is_no_bug_and_changes_no_exit_code(sick: Path, words: str, redirection: str):
    expected = forked_doctor.run(*words.split(), cwd=sick).returncode
    line = f"{' '.join(command())} {words} {redirection}"
    done = subprocess.run(
        ["bash", "-c", line], cwd=sick, env=environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == expected
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("words", ["check", "fix --diff", "list", "explain TSK001", "--version"])
def test_a_full_disk_behind_stdout_is_said_in_one_line(sick: Path, words: str):
    line = f"{' '.join(command())} {words} > /dev/full"
    done = subprocess.run(
        ["bash", "-c", line], cwd=sick, env=environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "standard output cannot be written: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_key_from_outside_neither_fills_nor_commands_the_terminal(capsys, sick: Path):
    (sick / "doctor.toml").write_text(f'"\\u001b[31m{"x" * 100_000}" = 1\n')
    code, _, err = call(capsys, "check")
    assert code == 2
    assert "\x1b" not in err
    assert len(err) < 3_000


def test_a_source_folder_that_is_not_there_is_2(capsys, sick: Path):
    for text in ('[target]\nsource = "nope"\n', '[target]\nsource = "a\\u0000b"\n'):
        (sick / "doctor.toml").write_text(text)
        code, _, err = call(capsys, "check")
        assert code == 2
        assert "source" in err
        assert "Traceback" not in err


# Reports go where they are sent.


def test_several_formats_go_to_several_places(capsys, sick: Path):
    code, out, err = call(capsys, "check", "--format", "json:out/report.json", "--format", "text")
    assert (code, err) == (1, "")
    assert out.startswith("doctor ")
    assert json.loads((sick / "out" / "report.json").read_text())["exit_code"] == 1
    assert [path.name for path in (sick / "out").iterdir()] == ["report.json"]


@pytest.mark.parametrize("place", ["blocked/report.json", "folder"])
def test_a_place_that_cannot_be_written_is_2_and_leaves_nothing_behind(capsys, sick: Path, place: str):
    (sick / "blocked").write_text("a file")
    (sick / "folder").mkdir()
    before = sorted(sick.iterdir())
    for arguments in (("check", "--format", f"json:{place}"), ("report", "-o", place)):
        code, _, err = call(capsys, *arguments)
        assert code == 2
        assert place in err
        assert re.search(r"cannot be written: |is a directory", err)
        assert "Traceback" not in err
    assert [path for path in sorted(sick.iterdir()) if path.name != ".doctor"] == before


def test_a_machine_format_has_stdout_for_itself(sick: Path):
    done = forked_doctor.run("--format", "json", "-v", cwd=sick)
    assert (done.returncode, done.stderr) == (1, "")
    assert json.loads(done.stdout)["status"] == "unhealthy"
    nothing = forked_doctor.run("fix", "--yes", "LOG", "--format", "json", cwd=sick)
    assert (nothing.returncode, nothing.stderr) == (1, "")
    assert json.loads(nothing.stdout)["repairs"] == []


def test_a_report_is_made_of_the_last_run(capsys, sick: Path):
    call(capsys, "check")
    code, out, _ = call(capsys, "report")
    assert code == 0
    assert out.startswith("# Root cause analysis: target\n")
    code, out, _ = call(capsys, "report", "--format", "json")
    document = json.loads(out)
    assert (code, document["status"]) == (0, "unhealthy")
    code, out, _ = call(capsys, "report", document["run"]["id"], "--format", "text")
    assert "DOC010" in out
    code, out, err = call(capsys, "report", "-o", "RCA.md")
    assert (code, out) == (0, "")
    assert err == "wrote RCA.md\n"
    assert (sick / "RCA.md").read_text().startswith("# Root cause analysis: target\n")


def test_a_foreign_record_is_2_with_a_sentence(capsys, sick: Path):
    (sick / "foreign.json").write_text('{"schema_version": "1"}')
    code, out, err = call(capsys, "report", "--from", "foreign.json")
    assert (code, out) == (2, "")
    assert "not a run record" in err


# Interruptions and bugs.


def test_ctrl_c_is_130_and_says_so(healthy: Path, tmp_path: Path):
    plugins = install(tmp_path / "plugins", "slow", PLUGIN)
    process = subprocess.Popen(
        command("check", "--select", "ZZZ001"),
        cwd=healthy,
        env=environment(plugins),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A job in the background of a shell without job control ignores SIGINT, and its children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + DEADLINE
    while not (healthy / "started").exists():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=DEADLINE)
    assert (process.returncode, out) == (130, "")
    assert err.strip() == "interrupted"


def test_ctrl_c_before_the_command_line_is_there_is_130_too(healthy: Path, tmp_path: Path):
    early = tmp_path / "early"
    early.mkdir()
    (early / "click.py").write_text("import os, signal\n\nos.kill(os.getpid(), signal.SIGINT)\n")
    done = run("check", cwd=healthy, plugins=early)
    assert (done.returncode, done.stdout, done.stderr.strip()) == (130, "", "interrupted")


def test_an_interrupt_that_meets_an_exec_is_130_too(healthy: Path, tmp_path: Path):
    plugins = install(tmp_path / "plugins", "slow", PLUGIN)
    done = run("check", "--select", "DOC010", "--format", "left", cwd=healthy, plugins=plugins)
    assert (done.returncode, done.stdout, done.stderr.strip()) == (130, "", "interrupted")


def test_a_bug_of_the_doctor_is_4_and_shown_whole(healthy: Path, tmp_path: Path):
    plugins = install(tmp_path / "plugins", "slow", PLUGIN)
    done = run("check", "--select", "DOC010", "--format", "buggy", cwd=healthy, plugins=plugins)
    assert (done.returncode, done.stdout) == (4, "")
    assert "RuntimeError: this format has a bug" in done.stderr
    assert done.stderr.endswith("This is a bug of doctor itself, not of the target.\n")


@pytest.mark.parametrize(
    "arguments",
    [("check",), ("check", "--format", "json"), ("list",), ("explain", "TSK001"), ("--help",), ("--version",)],
    ids=" ".join,
)
def test_a_reader_that_goes_away_causes_no_traceback(sick: Path, arguments: tuple[str, ...]):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            command(*arguments),
            cwd=sick,
            env=environment(),
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        os.close(writer)
    assert done.stderr == ""
    assert done.returncode in (0, 1)


def test_a_reader_of_one_line_gets_it(sick: Path):
    shell = f"{' '.join(command('check', '--format', 'json'))} | head -1"
    done = subprocess.run(
        ["sh", "-c", shell], cwd=sick, env=environment(), capture_output=True, text=True, check=True, timeout=DEADLINE
    )
    assert (done.stdout, done.stderr) == ("{\n", "")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_another_encoding_of_the_terminal_is_no_crash(sick: Path, encoding: str):
    done = run("check", cwd=sick, extra={"PYTHONIOENCODING": encoding})
    assert (done.returncode, done.stderr) == (1, "")
    assert "●" in done.stdout


@pytest.mark.parametrize("form", ["text", "json", "markdown"])
def test_names_that_are_no_utf_8_are_no_crash(tmp_path: Path, form: str):
    folder = Path(os.fsdecode(bytes(tmp_path) + b"/caf\xe9"))
    folder.mkdir()
    (folder / os.fsdecode(b"d\xe9j\xe0.py")).write_text(CONFLICT)
    done = run("check", "--format", form, cwd=folder)
    assert (done.returncode, done.stderr) == (1, "")
    assert "DOC010" in done.stdout


# Colour.


def on_a_terminal(arguments: tuple[str, ...], cwd: Path, **extra: str) -> str:
    """Run with stdout on a pseudo-terminal and return what was written to it."""
    parent, child = pty.openpty()
    extra = {"TERM": "xterm-256color", **extra}
    try:
        process = subprocess.Popen(
            command(*arguments), cwd=cwd, env=environment(**extra), stdin=subprocess.DEVNULL, stdout=child, stderr=child
        )
    finally:
        os.close(child)
    written = b""
    deadline = time.monotonic() + DEADLINE
    with contextlib.suppress(OSError):  # EIO: the other side is closed
        while time.monotonic() < deadline:
            if select.select([parent], [], [], 0.1)[0]:
                if not (chunk := os.read(parent, 65536)):
                    break
                written += chunk
    os.close(parent)
    process.wait(timeout=DEADLINE)
    return written.decode()


def test_a_terminal_gets_colour_unless_it_declines(sick: Path):
    assert ANSI.search(on_a_terminal(("check",), sick))
    plain = on_a_terminal(("check",), sick, NO_COLOR="1")
    after_progress = plain[plain.rindex("doctor 0") :]
    assert not ANSI.search(after_progress)
    assert not ANSI.search(on_a_terminal(("check", "--color", "never", "-q"), sick))


def test_a_pipe_gets_none_unless_it_asks(sick: Path):
    assert not ANSI.search(forked_doctor.run("check", cwd=sick).stdout)
    assert not ANSI.search(forked_doctor.run("check", cwd=sick, extra={"FORCE_COLOR": "1", "TERM": "xterm"}).stdout)
    assert ANSI.search(forked_doctor.run("check", "--color", "always", cwd=sick).stdout)


def test_a_file_gets_none_whatever_the_terminal_gets(capsys, sick: Path):
    call(capsys, "check", "--color", "always", "--format", "text:out.txt")
    assert not ANSI.search((sick / "out.txt").read_text())


def test_a_quiet_run_shows_only_what_is_wrong(capsys, sick: Path):
    _, quiet, _ = call(capsys, "check", "-q")
    _, normal, _ = call(capsys, "check")
    assert "DOC010" in quiet
    assert len(quiet.splitlines()) < len(normal.splitlines())


# Completion.


@pytest.mark.parametrize(
    "line, offered",
    [("doctor ba", ["plain,baseline"]), ("doctor check --fail-on cr", ["plain,critical"])],
)
def test_a_shell_is_told_how_a_word_goes_on(target: Path, line: str, offered: list[str]):
    words = line.split()
    asked = {"_DOCTOR_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    done = forked_doctor.run(cwd=target, extra=asked)
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, offered, "")
