"""Where a finding is shown: every one has a line in a file of the repository."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from doctor.configuration import load_configuration
from doctor.configured_places import configured_places, repository_path
from doctor.location import Location, location_of, location_of_area
from doctor.model import Endpoint, Evidence, EvidenceKind, Finding, Resource, Run
from tests.example_runs import agent_inactive, enqueue_swallowed, finding, model_missing, run_of, stalled

PLACES = {"": "doctor.toml:1", "stage:scored": "doctor.toml:31", "postgresql": "doctor.toml:3"}
COLUMN = finding("EMB001", Resource("column", "public.messages.embedding"))


def run_with(places: dict[str, str], *endpoints: Endpoint, **paths: str) -> Run:
    run = run_of(())
    return replace(run, target=replace(run.target, endpoints=endpoints, places=places, **paths))


@pytest.mark.parametrize(
    "given, place",
    [
        (enqueue_swallowed(), Location("app/messages.py", 40)),
        (stalled("scored"), Location("doctor.toml", 31)),
        (agent_inactive(), Location(".env", 1)),
        (COLUMN, Location(".env", 1)),
        (model_missing(), Location("doctor.toml", 1)),
    ],
)
def test_the_place_of_a_finding_is_the_nearest_line_that_names_it(given: Finding, place: Location):
    run = run_with(PLACES, Endpoint("postgresql", "127.0.0.1:5432/app", ".env:1"))
    assert location_of(given, run) == place


def test_an_address_from_the_environment_leads_to_the_line_that_names_the_variable():
    run = run_with(PLACES, Endpoint("postgresql", "db:5432/app", "environment"))
    assert location_of(COLUMN, run) == Location("doctor.toml", 3)


def test_evidence_in_a_file_is_a_place():
    given = replace(model_missing(), evidence=(Evidence(EvidenceKind.CONFIG, "deploy/.env:9", "OLLAMA_MODEL=x"),))
    assert location_of(given, run_with(PLACES)) == Location("deploy/.env", 9)


def test_without_any_configuration_a_finding_stands_where_it_would_be():
    assert location_of(COLUMN, run_with({})) == Location("doctor.toml", 1)
    assert location_of_area("models", run_with({})) == Location("doctor.toml", 1)


def test_paths_lead_from_the_root_of_the_repository():
    run = run_with(PLACES, repository_path="services/api", source_path="backend")
    assert location_of(enqueue_swallowed(), run) == Location("services/api/backend/app/messages.py", 40)
    assert location_of(stalled("scored"), run) == Location("services/api/doctor.toml", 31)


@pytest.mark.parametrize("path", ["", ".", "/"])
def test_a_path_that_names_no_file_is_no_place(path: str):
    given = replace(enqueue_swallowed(), resource=Resource("code", "x", path, 3))
    assert location_of(given, run_with({})) == Location("doctor.toml", 1)


def test_an_area_that_could_not_be_told_stands_at_its_address():
    run = run_with(PLACES, Endpoint("nats", "127.0.0.1:4222", ".env:2"))
    assert location_of_area("worker", run) == Location(".env", 2)


def test_the_configuration_names_stages_agents_and_outside_systems(tmp_path: Path):
    (tmp_path / "doctor.toml").write_text(
        '[target]\ndatabase_env = ["PG_URL"]\n\n[chain]\nentry = "POST /in"\nmessage_table = "messages"\n\n'
        '[[chain.stage]]\nname = "saved"\n\n[[chain.stage]]\ntask = "a:b"\nname = "scored"\n\n'
        '[agents.extractor]\nmodel = "m"\nsystem_prompt = "p"\n'
    )
    assert configured_places(load_configuration(tmp_path), tmp_path) == {
        "": "doctor.toml:1",
        "postgresql": "doctor.toml:2",
        "stage:saved": "doctor.toml:9",
        "stage:scored": "doctor.toml:13",
        "agent:extractor": "doctor.toml:15",
    }


def test_a_configuration_that_lies_elsewhere_has_no_place_in_the_repository(tmp_path: Path):
    (tmp_path / "doctor.toml").write_text("")
    assert configured_places(load_configuration(tmp_path), tmp_path / "project") == {}


def test_the_way_from_the_repository_to_the_target(tmp_path: Path):
    (tmp_path / "services" / "api").mkdir(parents=True)
    assert repository_path(tmp_path / "services" / "api") == ""
    (tmp_path / ".git").mkdir()
    assert repository_path(tmp_path / "services" / "api") == "services/api"
    assert repository_path(tmp_path) == ""
