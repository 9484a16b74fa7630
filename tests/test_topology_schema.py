"""The published JSON Schema is the models', and says of a file what the loader says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from drillbook.topology.model import Topology
from drillbook.topology.schema import FILE, text
from drillbook.topology.values import per_second, seconds

ROOT = Path(__file__).parent.parent
ENVIRONMENT = ROOT / "environments" / "meta_aggregator" / "environment.yaml"


def validator() -> Any:
    return jsonschema.Draft202012Validator(json.loads(FILE.read_text()))


def environment() -> dict[str, Any]:
    """Give the suite's environment as an editor sees it: as JSON, whose keys are text."""
    seen: dict[str, Any] = json.loads(json.dumps(yaml.safe_load(ENVIRONMENT.read_text())))
    return seen


def test_the_checked_in_schema_is_that_of_the_models() -> None:
    assert FILE.read_text() == text(), "run: python -m drillbook.topology.schema"


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(text()))


def test_the_suites_environment_fits_the_schema_and_the_models() -> None:
    assert [error.message for error in validator().iter_errors(environment())] == []
    Topology.model_validate_json(json.dumps(environment()))


def test_the_suites_environment_points_editors_to_the_schema() -> None:
    first = ENVIRONMENT.read_text().splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")
    assert (ENVIRONMENT.parent / first.partition("=")[2]).resolve() == FILE.resolve()


def test_every_key_is_described() -> None:
    made = json.loads(text())
    models = {"Topology": made, **made["$defs"]}
    bare = [
        f"{name}.{key}"
        for name, model in models.items()
        for key, value in model.get("properties", {}).items()
        if not (value.get("description") or made["$defs"][value["$ref"].rpartition("/")[2]].get("description"))
    ]
    assert bare == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("services", "chain", "chain_idd"), 1),
        (("services", "chain", "kind"), "block"),
        (("services", "Chain"), {"kind": "platform", "ports": {"admin": 1}}),
        (("services", "chain", "image"), None),
        (("services", "chain", "ports", "rpc"), 70000),
        (("services", "postgres", "password"), "hunter2"),
        (("names", "API.example.com"), {"443": "platform.admin"}),
        (("names", "api.0x.org", "https"), "zeroex.https"),
        (("probes", "api", "tcp"), {"to": "api.0x.org:443"}),
        (("probes", "api", "http", "timeout"), "soon"),
        (("workload", "rate"), "5"),
        (("secrets", "database_password"), {"generate": 24, "env": "X"}),
        (("secrets", "database_password"), {"value": "hunter2"}),
        (("objectives", "x"), {"rpo": "1s"}),
    ],
)
def test_the_schema_refuses_what_the_models_refuse(path: tuple[str, ...], value: object) -> None:
    broken = environment()
    place = broken
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert list(validator().iter_errors(broken))
    with pytest.raises(ValueError, match="validation error"):
        Topology.model_validate_json(json.dumps(broken))


@pytest.mark.parametrize(
    ("written", "read"),
    [("5s", 5), ("2 min", 120), ("1h30m", 5400), ("250ms", 0.25), ("1.5h", 5400), ("1d", 86400), (7, 7), (0.5, 0.5)],
)
def test_durations(written: object, read: float) -> None:
    assert seconds(written) == pytest.approx(read)


@pytest.mark.parametrize(
    "written", ["", "5", "s", "-5s", "5 parsecs", "5s later", True, None, -1, float("inf"), float("nan"), []]
)
def test_what_is_no_duration_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="duration such as"):
        seconds(written)


def test_rates_are_events_a_second() -> None:
    assert [per_second(written) for written in ("5/s", "30/min", "1800/h")] == [5, 0.5, 0.5]
    for written in ("0/s", "5", "5/d", 5, "/s"):
        with pytest.raises(ValueError, match="rate"):
            per_second(written)
