"""Compose files as people write them: short and long ports, aliases, variables, overrides, and nonsense."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doctor.resources.compose import ComposeProject, find_compose
from doctor.resources.compose_variables import read_compose

WHOLE = """\
services:
  ollama:
    image: ollama/ollama
    container_name: llm
    ports: ["127.0.0.1:${OLLAMA_PORT:-21434}:11434", "9000-9001:9000-9001", "53:53/udp", "7000"]
    networks: {inside: {aliases: [models]}}
  db:
    image: postgres
    ports: [{target: 5432, published: "15432", protocol: tcp}]
  api:
    build: .
    depends_on: {ollama: {condition: service_started}}
    environment: [OLLAMA_HOST=http://localhost:11434, "EMPTY=", NAME]
  worker:
    build: .
    network_mode: host
    environment: {OLLAMA_HOST: "http://localhost:${PORT}", UNSET: }
"""


def project(folder: Path, text: str, **variables: str) -> ComposeProject | None:
    (folder / "docker-compose.yml").write_text(text)
    return find_compose(folder, variables.get)


BOMB = "x-0: &x0 [boom]\n" + "".join(f"x-{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]\n" for n in range(1, 30))
"""Lists of lists of one list: 9 to the power of 29 words, if somebody wrote them out."""


@pytest.mark.parametrize(
    "service",
    [
        "ports: *x29",
        "ports: [{target: *x29, published: 1}]",
        "environment: *x29",
        "environment: {OLLAMA_HOST: *x29}",
        "container_name: *x29",
        "depends_on: *x29",
        "networks: {all: {aliases: *x29}}",
        "env_file: *x29",
    ],
)
def test_what_would_never_end_if_it_were_written_out_is_not(tmp_path: Path, service: str):
    found = project(tmp_path, f"{BOMB}services:\n  api: {{{service}}}\n")
    assert found is not None
    assert found.service("api") == found.services[0]
    assert (found.services[0].ports, found.services[0].environment) == ((), ())
    assert read_compose(tmp_path).variables == ()


def test_ports_names_and_variables_are_read(tmp_path: Path):
    found = project(tmp_path, WHOLE, PORT="1")
    assert found is not None
    assert found.path == "docker-compose.yml"
    services = {service.name: service for service in found.services}
    assert services["ollama"].ports == ((11434, 21434),)
    assert services["ollama"].names == {"ollama", "llm", "models"}
    assert services["db"].published(5432) == 15432
    assert services["db"].published(80) is None
    assert services["api"].environment == (("OLLAMA_HOST", "http://localhost:11434"), ("EMPTY", ""))
    assert dict(services["worker"].environment) == {"OLLAMA_HOST": "http://localhost:1"}
    assert services["worker"].shares_host
    assert found.service("MODELS") is services["ollama"]
    assert found.service("nosuch") is None
    assert found.neighbour("ollama") is services["api"]


def test_a_variable_wins_over_its_default_and_an_override_adds(tmp_path: Path):
    (tmp_path / "docker-compose.override.yml").write_text("services:\n  ollama: {ports: ['1:2']}\n")
    found = project(tmp_path, WHOLE, OLLAMA_PORT="31434")
    assert found is not None
    ollama = found.service("ollama")
    assert ollama is not None
    assert ollama.ports == ((11434, 31434), (2, 1))


def test_the_nearest_file_in_the_same_repository_counts(tmp_path: Path):
    (tmp_path / "compose.yaml").write_text(WHOLE)
    inner = tmp_path / "backend"
    inner.mkdir()
    assert find_compose(inner, lambda _: None) is None, "no repository says that they belong together"
    (tmp_path / ".git").mkdir()
    found = find_compose(inner, lambda _: None)
    assert found is not None
    assert found.path == str(tmp_path / "compose.yaml")
    (inner / ".git").mkdir()
    assert find_compose(inner, lambda _: None) is None


@pytest.mark.parametrize(
    "text",
    ["", "services: [", "services: []", "- 1", "a: &a [*a]", "services: {x: [1]}\n", "services: {x: {ports: 7}}", "\0"],
)
def test_what_is_no_compose_file_has_no_ports(tmp_path: Path, text: str):
    found = project(tmp_path, text)
    assert found is None or all(service.ports == () for service in found.services)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path):
    assert project(tmp_path, WHOLE + "#" * 400_000) is None


KEYS = st.sampled_from(["services", "ports", "environment", "networks", "target"])
SHAPES = st.recursive(
    st.none() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
)


@given(SHAPES)
def test_no_shape_breaks_it(tmp_path_factory: pytest.TempPathFactory, shape: object):
    import yaml

    folder = tmp_path_factory.getbasetemp()
    project(folder, yaml.safe_dump({"services": {"x": {"ports": shape, "environment": shape, "networks": shape}}}))
    project(folder, yaml.safe_dump({"services": {"x": shape}, "y": shape}))
