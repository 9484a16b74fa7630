"""junit.xml as CI servers read it: its shape, its counts, and that nothing but a pass looks like success."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from drillbook.journal import RunFinished, RunStarted, read
from drillbook.reports.junit import junit
from drillbook.verdict.model import Outcome, Reason
from tests.journals import FEATURE, run, three_drills


def _parsed(folder: Path) -> ElementTree.Element:
    return ElementTree.fromstring(junit(read(folder)))


def _properties(element: ElementTree.Element) -> dict[str, str]:
    return {p.attrib["name"]: p.attrib["value"] for p in element.findall("properties/property")}


def test_it_has_the_usual_shape(tmp_path: Path) -> None:
    """The elements and attributes that Jenkins' schema and GitLab's and GitHub's readers agree upon."""
    three_drills(tmp_path)
    root = _parsed(tmp_path)
    assert root.tag == "testsuites"
    assert {suite.tag for suite in root} == {"testsuite"}
    for suite in root:
        cases = suite.findall("testcase")
        assert {child.tag for child in suite} <= {"properties", "testcase"}
        assert int(suite.attrib["tests"]) == len(cases)
        assert int(suite.attrib["failures"]) == len(suite.findall("testcase/failure"))
        assert int(suite.attrib["errors"]) == len(suite.findall("testcase/error"))
        assert float(suite.attrib["time"]) == sum(float(case.attrib["time"]) for case in cases)
        for case in cases:
            assert {"name", "classname", "time"} <= set(case.attrib)
            assert {child.tag for child in case} <= {"properties", "failure", "error"}
    assert (root.attrib["tests"], root.attrib["failures"], root.attrib["errors"]) == ("3", "1", "1")


def test_a_suite_for_each_feature_and_a_case_for_each_drill(tmp_path: Path) -> None:
    three_drills(tmp_path)
    root = _parsed(tmp_path)
    assert [suite.attrib["name"] for suite in root] == [FEATURE, "features/recovery/database.feature"]
    assert [len(suite.findall("testcase")) for suite in root] == [2, 1]
    assert root.find("testsuite/testcase").attrib["classname"] == "features.emergency.system_down"  # type: ignore[union-attr]


def test_a_failure_tells_its_reason_and_its_evidence(tmp_path: Path) -> None:
    three_drills(tmp_path)
    failure = _parsed(tmp_path).find(".//failure")
    assert failure is not None
    assert failure.attrib["message"] == "recovered 181.5 s too late"
    assert "+0.250 s  probe api bad: status 503" in (failure.text or "")
    assert "| curl: (22) error 503" in (failure.text or "")


def test_unknown_is_an_error_and_never_a_skip(tmp_path: Path) -> None:
    three_drills(tmp_path)
    root = _parsed(tmp_path)
    errors = root.findall(".//error")
    assert [(e.attrib["type"], e.attrib["message"]) for e in errors] == [("unknown", "no probe felt the fault")]
    assert root.findall(".//skipped") == []


def test_measures_are_properties_of_the_case(tmp_path: Path) -> None:
    three_drills(tmp_path)
    given = _properties(_parsed(tmp_path).findall(".//testcase")[0])
    assert given["recover"] == "14.200"
    assert given["allowed"] == "150.000"
    assert given["total"] == "164.200"
    assert given["target"] == "300.000"
    assert given["margin"] == "135.800"
    assert given["seed"] == "42"


@pytest.mark.parametrize("drills", [0, 1])
def test_a_killed_run_has_an_error_though_no_drill_failed(tmp_path: Path, drills: int) -> None:
    with run(tmp_path) as made:
        for number in range(drills):
            made.begin(f"drill {number}")
            made.end(Outcome.PASS)
    errors = _parsed(tmp_path).findall(".//error")
    assert [error.attrib["type"] for error in errors] == ["unknown"]
    assert "interrupted" in errors[0].attrib["message"]


def test_a_run_without_drills_has_an_error(tmp_path: Path) -> None:
    with run(tmp_path, end=RunFinished(3)):
        pass
    root = _parsed(tmp_path)
    assert (root.attrib["tests"], root.attrib["errors"]) == ("1", "1")


def test_an_interrupted_drill_is_an_error_of_its_own(tmp_path: Path) -> None:
    with run(tmp_path) as made:
        made.begin("cut short")
    case = _parsed(tmp_path).find(".//testcase[@name='cut short']/error")
    assert case is not None
    assert case.attrib["type"] == "unknown"


def test_characters_that_xml_forbids_are_taken_out(tmp_path: Path) -> None:
    bad = "".join(map(chr, range(32))) + "\x7f\ufffe\uffff<&\"']]>\x1b[31mred\x1b[0m é 漢 🚨"
    with run(tmp_path, end=RunFinished(1)) as made:
        made.begin(f"odd {bad}")
        seq = made.command("printf", 1, bad)
        made.end(Outcome.FAIL, Reason(Outcome.FAIL, f"odd {bad}", (seq,)))
    failure = _parsed(tmp_path).find(".//failure")
    assert failure is not None
    assert "<&\"']]>red é 漢 🚨" in (failure.text or "")
    assert "<&\"']]>red é 漢 🚨" in failure.attrib["message"]


def test_a_self_test_is_marked(tmp_path: Path) -> None:
    started = RunStarted("0.1.0", 1, "embedded", "e", "r", (), ("roll back",), omitted_fault=True)
    with run(tmp_path, started, end=RunFinished(0)) as made:
        made.begin("one")
        made.end(Outcome.PASS)
    given = _properties(_parsed(tmp_path)[0])
    assert given["omitted-step-1"] == "roll back"
    assert given["omitted-fault"] == "true"
