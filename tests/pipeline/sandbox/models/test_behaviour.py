"""The stand-in misbehaves exactly as it is told."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import pytest

from doctor.pipeline.app.knowledge import ANSWER_SCHEMA

CHAT = {
    "model": "qwen3:8b",
    "stream": False,
    "format": ANSWER_SCHEMA,
    "messages": [{"role": "user", "content": "[1] the queue fails\n[2] fixed the queue"}],
}


def behave(stand_in: httpx.Client, *rules: dict[str, Any], load_seconds: float = 0.0) -> None:
    answer = stand_in.put("/_stand_in/behaviour", json={"rules": list(rules), "load_seconds": load_seconds})
    answer.raise_for_status()


@pytest.mark.parametrize(("status", "empty"), [(500, False), (503, False), (403, True)])
def test_a_status_comes_with_the_body_of_the_original(stand_in: httpx.Client, status: int, empty: bool) -> None:
    behave(stand_in, {"status": status})
    answer = stand_in.get("/api/tags")
    assert answer.status_code == status
    assert (answer.content == b"") is empty
    if not empty:
        assert "error" in answer.json()


def test_a_rule_counts_for_its_paths_and_as_often_as_it_says(stand_in: httpx.Client) -> None:
    behave(stand_in, {"paths": ["/api/chat"], "status": 503, "times": 2})
    assert stand_in.get("/api/tags").status_code == 200
    assert [stand_in.post("/api/chat", json=CHAT).status_code for _ in range(3)] == [503, 503, 200]


def test_a_delay_holds_the_answer_back(stand_in: httpx.Client) -> None:
    behave(stand_in, {"delay_seconds": 0.3})
    started = time.monotonic()
    assert stand_in.get("/api/version").status_code == 200
    assert time.monotonic() - started >= 0.3


def test_generated_json_can_end_early_in_a_whole_answer(stand_in: httpx.Client) -> None:
    behave(stand_in, {"truncate": "content", "times": 1})
    cut = stand_in.post("/api/chat", json=CHAT).json()["message"]["content"]
    with pytest.raises(json.JSONDecodeError):
        json.loads(cut)
    assert json.loads(stand_in.post("/api/chat", json=CHAT).json()["message"]["content"])


def test_the_body_itself_can_end_early(stand_in: httpx.Client) -> None:
    behave(stand_in, {"truncate": "body"})
    for answer in (stand_in.get("/api/tags"), stand_in.post("/api/chat", json=CHAT)):
        assert answer.status_code == 200
        with pytest.raises(json.JSONDecodeError):
            answer.json()


def test_loading_takes_the_time_that_was_asked_for_once(stand_in: httpx.Client) -> None:
    behave(stand_in, load_seconds=0.3)
    stand_in.post("/api/generate", json={"model": "qwen3:8b", "keep_alive": 0})
    body = {"model": "qwen3:8b", "prompt": "x", "stream": False, "options": {"num_ctx": 2048}}
    first, second = (stand_in.post("/api/generate", json=body).json()["load_duration"] for _ in range(2))
    assert first >= 300_000_000 > second


def test_requests_are_counted(stand_in: httpx.Client) -> None:
    before = stand_in.get("/_stand_in/requests").json().get("/api/version", 0)
    stand_in.get("/api/version")
    assert stand_in.get("/_stand_in/requests").json()["/api/version"] == before + 1


def test_a_rule_that_makes_no_sense_is_refused(stand_in: httpx.Client) -> None:
    for rule in ({"status": 418}, {"delay": 1}, {"times": 0}):
        assert stand_in.put("/_stand_in/behaviour", json={"rules": [rule]}).status_code == 400
    assert stand_in.get("/_stand_in/behaviour").json()["rules"] == []
