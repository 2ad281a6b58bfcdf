"""Known lines in order: first causes first, effects below them, and no path claimed where none is known."""

from __future__ import annotations

from pathlib import Path

from tests.triage.log_files import summary, written

NAMES = "[Errno 8] nodename nor servname provided, or not known"
QUEUE = "Failed to queue embedding task: no connection"
TOKEN = "Unverified token rejected (production)."
ENDPOINT = "AUTHENTICATION ERROR: Token verification failed for endpoint: GET /api/{}"
RACE = "Cannot index content - service not initialized for user u1"


def line(second: int, message: str, level: str = "ERROR") -> str:
    return f"2026-11-20 19:{second // 60:02d}:{second % 60:02d}.000 | {level:<8} | app.api:run:1 - {message}\n"


def caused_by(folder: Path, *lines: str) -> dict[str, tuple[str, ...]]:
    return {issue.signature: issue.caused_by for issue in summary(written(folder, "".join(lines))).issues}


def test_what_was_written_first_may_cause_what_came_after(tmp_path: Path) -> None:
    assert caused_by(tmp_path, line(0, NAMES), line(5, QUEUE))["embedding-not-queued"] == ("name-not-resolved",)


def test_what_came_long_after_causes_nothing_before_it(tmp_path: Path) -> None:
    assert caused_by(tmp_path, line(0, QUEUE), line(60, NAMES))["embedding-not-queued"] == ()


def test_clocks_may_differ_a_little_and_times_may_be_missing(tmp_path: Path) -> None:
    assert caused_by(tmp_path, line(0, QUEUE), line(1, NAMES))["embedding-not-queued"] == ("name-not-resolved",)
    assert caused_by(tmp_path, QUEUE + "\n", NAMES + "\n")["embedding-not-queued"] == ("name-not-resolved",)


def test_a_backend_that_tells_many_stories_is_put_in_order(tmp_path: Path) -> None:
    lines = [line(second, TOKEN, "WARNING") for second in range(0, 50, 10)]
    lines += [line(second + 1, ENDPOINT.format(f"x/{second % 20}")) for second in range(0, 50, 10)]
    lines += [line(3, RACE), line(4, "HF structured model not found: %s. Trying fallback model.", "WARNING")]
    lines += [line(5, "Hugging Face structured JSON generation failed: NotFoundError: Not Found")]
    lines += [line(6, "[llm_text_gen] Provider huggingface failed: RetryError[...]")]
    lines += ["WARNING:  StatReload detected changes in 'api\\today_workflow.py'. Reloading...\n"]
    found = summary(written(tmp_path, "".join(lines)))
    assert [issue.signature for issue in found.issues] == [
        "index-not-initialised",
        "token-rejected",
        "token-verification-failed",
        "hf-model-not-found",
        "hf-structured-failed",
        "provider-failed",
        "template-not-filled-in",
    ]
    issues = {issue.signature: issue for issue in found.issues}
    assert issues["token-verification-failed"].caused_by == ("token-rejected",)
    assert issues["token-verification-failed"].resources == {"endpoint:GET /api/x/0": 3, "endpoint:GET /api/x/10": 2}
    assert issues["provider-failed"].caused_by == ("hf-model-not-found", "hf-structured-failed")
    assert issues["token-rejected"].independent_of == (
        "hf-model-not-found",
        "index-not-initialised",
        "template-not-filled-in",
    )
    assert [signal.signature for signal in found.noise] == ["reload-of-development-server"]
    assert not {issue.confidence.value for issue in found.issues} - {"low", "medium"}
    assert found.unexplained == ()
