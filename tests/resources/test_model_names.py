"""Names of models, and the choice of one that can stand in for another."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doctor.resources.model_names import (
    guessed_capabilities,
    nearest_capable,
    normalise_model_name,
    parameter_count,
    same_model,
)
from doctor.resources.model_server import InstalledModel

CHAT = frozenset({"completion", "tools"})
THINKING = frozenset({"completion", "thinking"})
EMBED = frozenset({"embedding"})

INCIDENT = (
    InstalledModel("qwen2:7b-instruct-q4_K_M", "qwen2", "7.6B", "Q4_K_M", CHAT),
    InstalledModel("qwen3:8b", "qwen3", "8.2B", "Q4_K_M", CHAT | THINKING),
    InstalledModel("deepseek-r1:7b", "qwen2", "7.6B", "Q4_K_M", THINKING),
    InstalledModel("nomic-embed-text:latest", "nomic-bert", "137M", "F16", EMBED),
)
"""What the server of the incident had."""


@pytest.mark.parametrize(
    "name, normal",
    [
        ("llama3.2", "llama3.2:latest"),
        ("Llama3.2:3B", "llama3.2:3b"),
        ("library/llama3.2", "llama3.2:latest"),
        ("registry.ollama.ai/library/x:8b", "x:8b"),
        ("registry.ollama.ai/someone/x", "someone/x:latest"),
        ("hf.co/Org/Name:Q4", "hf.co/org/name:q4"),
        ("localhost:5000/a/b", "localhost:5000/a/b:latest"),
        (" mistral ", "mistral:latest"),
    ],
)
def test_a_name_is_brought_to_its_shortest_form_with_a_tag(name: str, normal: str):
    assert normalise_model_name(name) == normal


def test_another_tag_is_another_model():
    assert same_model("nomic-embed-text", "Nomic-Embed-Text:latest")
    assert not same_model("llama3.2", "llama3.2:3b")


@given(st.text("abcXYZ./:-_019 ", max_size=40))
def test_normalising_twice_changes_nothing(name: str):
    assert normalise_model_name(normalise_model_name(name)) == normalise_model_name(name)


@pytest.mark.parametrize(
    "text, count",
    [
        ("7.6B", 7.6),
        ("137M", 0.137),
        ("llama3.2:3b", 3.0),
        ("mixtral:8x7b", 56.0),
        ("qwen2:7b-instruct-q4_K_M", 7.0),
        ("latest", None),
    ],
)
def test_the_number_of_parameters_is_read(text: str, count: float | None):
    assert parameter_count(text) == count


def test_the_model_of_the_incident_is_replaced_by_one_that_chats_at_once():
    chosen = nearest_capable("llama3.2:3b", INCIDENT, "completion")
    assert chosen is not None
    assert chosen.name == "qwen2:7b-instruct-q4_K_M"


def test_an_embedding_model_is_never_taken_for_chat_nor_the_reverse():
    assert nearest_capable("llama3.2:3b", INCIDENT[3:], "completion") is None
    assert nearest_capable("mxbai-embed-large", INCIDENT[:3], "embedding") is None
    chosen = nearest_capable("mxbai-embed-large", INCIDENT, "embedding")
    assert chosen is not None
    assert chosen.name == "nomic-embed-text:latest"


@pytest.mark.parametrize(
    "wanted, chosen",
    [
        ("llama3.2:1b", "llama3.2:3b"),  # the same model, another tag, before a nearer size
        ("llama3.1:8b", "llama3.2:3b"),  # a related family before a nearer size
        ("qwen2.5:7b", "qwen2:7b"),
        ("phi4:14b", "qwen2:7b"),  # no relation: the nearest size
        ("phi4:2b", "gemma2:2b"),
        ("gemma2", "gemma2:2b"),
    ],
)
def test_relation_comes_before_size_and_size_before_the_name(wanted: str, chosen: str):
    installed = (
        InstalledModel("llama3.2:3b", "llama", "3.2B", "", CHAT),
        InstalledModel("qwen2:7b", "qwen2", "7.6B", "", CHAT),
        InstalledModel("gemma2:2b", "gemma2", "2.6B", "", CHAT),
    )
    found = nearest_capable(wanted, installed, "completion")
    assert found is not None
    assert found.name == chosen


def test_a_model_on_somebody_elses_machine_is_not_chosen():
    remote = InstalledModel("llama3.2:3b-cloud", "llama", "3B", "", CHAT, remote=True)
    assert nearest_capable("llama3.2:3b", [remote], "completion") is None


def test_the_order_of_the_list_does_not_matter():
    chosen = {nearest_capable("x", order, "completion") for order in itertools.permutations(INCIDENT)}
    assert len(chosen) == 1


@pytest.mark.parametrize("name, family", [("nomic-embed-text", "nomic-bert"), ("all-minilm", ""), ("bge-m3", "bert")])
def test_servers_that_say_nothing_have_their_embedders_guessed(name: str, family: str):
    assert guessed_capabilities(name, family) == {"embedding"}
    assert guessed_capabilities("llama3.2", "llama") == {"completion"}
