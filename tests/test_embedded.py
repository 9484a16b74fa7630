"""The embedded environment of meta_aggregator, started once in a real sandbox: its names answer, and reset undoes a drill."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from drillbook.topology.load import load
from tests.embedded_program import ENVIRONMENT, REPOSITORY

SECONDS = 150
RESETS = [
    "on demand",
    "idle",
    "half a login",
    "disturbed",
    "killed chain",
    "killed postgres",
    "killed platform",
    "restarted chain",
]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the program saw; its cache is cold."""
    cache, run = tmp_path_factory.mktemp("cache"), tmp_path_factory.mktemp("run")
    done = subprocess.run(
        [sys.executable, "-m", "tests.embedded_program", cache, run],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_every_name_of_production_answers_at_its_port(seen: dict[str, Any]) -> None:
    topology = load(ENVIRONMENT)
    declared = {f"{host}:{port}": to for host, ports in topology.names.items() for port, to in ports.items()}
    assert set(seen["names"]) == set(declared)
    silent = {name for name, said in seen["names"].items() if not (said == "connects" or said.isdecimal())}
    assert all(topology.services[declared[name].service].on_demand for name in silent)
    assert seen["names"]["metaaggregator.com:443"] == "200"


def test_an_expired_certificate_is_refused_for_its_age_until_it_is_renewed(seen: dict[str, Any]) -> None:
    (page, renewed), (site, again) = seen["certificate-expired"]
    assert "certificate has expired" in page
    assert "certificate has expired" in site
    assert renewed.isdecimal()
    assert again == "200"


def test_a_name_that_is_gone_does_not_resolve_until_its_record_is_back(seen: dict[str, Any]) -> None:
    ((gone, back),) = seen["dns-gone"]
    assert gone.startswith("ConnectError")
    assert "resolution" in gone or "not known" in gone
    assert back == "200"


def test_the_runbook_s_own_words_reach_the_database(seen: dict[str, Any]) -> None:
    assert seen["psql"] == "production_db"


def test_the_environment_starts_whole(seen: dict[str, Any]) -> None:
    start = seen["start"]
    assert min(start["rows"]) > 0
    assert start["contract"] != "0x"
    assert start["unready"] == start["files"] == start["frozen"] == []
    assert all(enabled and toxics == 0 for _, enabled, toxics in start["links"])


def test_what_the_drill_did_was_felt(seen: dict[str, Any]) -> None:
    """Else the reset after it would show nothing."""
    assert seen["said"] == ""
    assert seen["slack"] == 1
    felt = {name for name, value in seen["while disturbed"].items() if value != seen["start"][name]}
    assert felt >= {"databases", "tables", "login", "block", "links", "apps", "inboxes", "files"}


def test_a_service_on_demand_is_started_with_what_it_needs_and_a_reset_stops_it(seen: dict[str, Any]) -> None:
    assert seen["staging"] == {"said": "200", "processes": [True] * 4, "production": True, "after": [False] * 4}


@pytest.mark.parametrize("name", RESETS)
def test_a_reset_returns_everything_to_its_start(seen: dict[str, Any], name: str) -> None:
    assert seen[name]["problems"] == []
    assert seen[name]["state"] == seen["start"]


def test_a_reset_of_what_nobody_touched_is_quick(seen: dict[str, Any]) -> None:
    """0.3 s is the aim, which the benchmarks measure; this machine may be busy."""
    assert seen["idle"]["seconds"] < 3.0


def test_a_client_that_hangs_in_its_login_holds_no_reset_up(seen: dict[str, Any]) -> None:
    """PostgreSQL would wait for it until its authentication_timeout of a minute."""
    assert seen["login asked for"] == "R"
    assert seen["half a login"]["seconds"] < 10.0


def test_a_reset_that_cannot_reach_its_state_says_so_and_does_the_rest(seen: dict[str, Any]) -> None:
    (problem,) = seen["unreachable"]["problems"]
    assert problem.startswith("database: ")
    assert "production_db_template" in problem
    assert seen["unreachable"]["files"] == 0
    assert any(problem.startswith("links: Toxiproxy has died") for problem in seen["no links"])
