"""Loads that are declared wrongly: each is refused with its line before anything starts, and Locust is never imported for it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from drillbook.errors import UsageErrors
from drillbook.topology.load import load
from drillbook.topology.model import Topology

ENVIRONMENT = """\
version: 1
name: shop
runbook: runbook.md
services:
  api:
    kind: process
    python: services.api
    ports: {https: 443}
    health: {http: {path: /health, port: https}}
names:
  api.shop.example: {443: api.https}
probes:
  api: {http: {url: "https://api.shop.example/health"}}
steady_state: {probes: [api]}
loads:
  rush:
    locustfile: load.customers
    host: https://api.shop.example
    rate: 30/s
    mix: {browse: 3, buy: 1}
    duration: 3s
    warm_up: 500ms
    thresholds: {p95: 250ms, errors: 1%}
"""
LOCUSTFILE = """\
from locust import FastHttpUser, task


class Customer(FastHttpUser):
    @task
    def browse(self):
        pass

    @task
    def buy(self):
        pass
"""


def read(folder: Path, environment: str = ENVIRONMENT, locustfile: str = LOCUSTFILE) -> Topology:
    folder = folder / "environments" / "shop"
    for file, text in (
        (folder / "environment.yaml", environment),
        (folder / "runbook.md", "# Shop\n"),
        (folder / "services" / "api.py", ""),
        (folder.parents[1] / "load" / "customers.py", locustfile),
    ):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return load(folder / "environment.yaml")


def test_a_load_is_read(tmp_path: Path) -> None:
    rush = read(tmp_path).loads["rush"]
    assert (rush.model, rush.level, rush.duration, rush.warm_up) == ("open", 30.0, 3.0, 0.5)
    assert rush.thresholds.declared == {"p95": 0.25, "errors": 0.01}
    assert "locust" not in sys.modules


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("p95: 250ms", "p97: 250ms", 23, ["loads.rush.thresholds.p97", "unknown key"]),
        ("p95: 250ms", "p95: fast", 23, ["loads.rush.thresholds.p95", "duration"]),
        ("errors: 1%", "errors: 1", 23, ["loads.rush.thresholds.errors", "a share such as 1%"]),
        ("errors: 1%", "errors: 101%", 23, ["loads.rush.thresholds.errors", "0% to 100%"]),
        ("{p95: 250ms, errors: 1%}", "{}", 23, ["loads.rush.thresholds", "nothing is promised"]),
        ("rate: 30/s", "users: 3\n    rate: 30/s", 17, ["loads.rush", "exactly one of rate"]),
        ("rate: 30/s", "rate: 30/s\n    think: 1s", 17, ["loads.rush", "think only with users"]),
        ("warm_up: 500ms", "warm_up: 3s", 17, ["loads.rush", "longer than warm_up"]),
        ("{browse: 3, buy: 1}", "{browse: 0}", 17, ["loads.rush", "one of them above 0"]),
        ("buy: 1", "bye: 1", 20, ["no class of customers.py has a task `bye`", "did you mean `buy`?"]),
        ("https://api.shop.example\n", "https://api.shop.exmple\n", 18, ["no name `api.shop.exmple`", "did you mean"]),
        ("https://api.shop.example\n", "http://api.shop.example\n", 18, ["nothing answers at api.shop.example:80"]),
        ("https://api.shop.example\n", "api.shop.example\n", 18, ["is no host", "https://NAME"]),
        ("load.customers", "load.nobody", 17, ["there is no module load.nobody"]),
        ("duration: 3s", "duration: 3s\n    shape: wave", 22, ["loads.rush.shape", "constant"]),
    ],
)
def test_a_wrong_load_is_refused_with_its_line(tmp_path: Path, old: str, new: str, line: int, words: list[str]) -> None:
    assert old in ENVIRONMENT
    with pytest.raises(UsageErrors) as raised:
        read(tmp_path, ENVIRONMENT.replace(old, new, 1))
    [error] = raised.value.errors
    assert error.at is not None
    assert error.at.line == line
    assert [word for word in words if word not in str(error)] == []


def test_a_locustfile_with_a_syntax_error_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(UsageErrors) as raised:
        read(tmp_path, locustfile=LOCUSTFILE.replace("def buy(self):", "def buy(self:"))
    [error] = raised.value.errors
    assert "customers.py:10: this is no Python" in str(error)
    assert error.at is not None
    assert error.at.line == 17
