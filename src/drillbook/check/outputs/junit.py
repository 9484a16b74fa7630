"""Findings as JUnit XML: a suite per file, a failed case per finding, a passed one for a file without any."""

from __future__ import annotations

from itertools import groupby
from xml.etree import ElementTree as ET

from drillbook.check.batch import Result
from drillbook.check.finding import Finding, Severity


def render(result: Result) -> str:
    """Give the document as text. Hints are told in a passed case's output; they fail nothing."""
    root = ET.Element("testsuites", name="drillbook check")
    of_file = {file: tuple(found) for file, found in groupby(result.findings, key=lambda finding: finding.file)}
    unread = {error.at.file: error for error in result.errors if error.at}
    for file in result.files:
        found = of_file.get(file, ())
        suite = ET.SubElement(root, "testsuite", name=file.as_posix())
        if file in unread:
            case = ET.SubElement(suite, "testcase", classname=file.as_posix(), name="read")
            ET.SubElement(case, "error", message=unread[file].message)
        elif not found:
            ET.SubElement(suite, "testcase", classname=file.as_posix(), name="check")
        for finding in found:
            _case(suite, finding)
        failures = sum(finding.severity is not Severity.HINT for finding in found)
        suite.set("tests", str(len(suite)))
        suite.set("failures", str(failures))
        suite.set("errors", str(int(file in unread)))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True)


def _case(suite: ET.Element, finding: Finding) -> None:
    file = finding.file.as_posix()
    name = f"{finding.code} line {finding.line}:{finding.column}"
    case = ET.SubElement(suite, "testcase", classname=file, name=name, file=file, line=str(finding.line))
    text = _clean(f"{file}:{finding.line}:{finding.column}: {finding.message}\nmend: {finding.mend}")
    if finding.severity is Severity.HINT:
        ET.SubElement(case, "system-out").text = text
    else:
        ET.SubElement(case, "failure", type=str(finding.severity), message=_clean(finding.message)).text = text


def _clean(text: str) -> str:
    """Give a text without the characters that XML has no way to write."""
    return (
        "".join(
            char if char in "\t\n" or (char >= " " and not "\ud800" <= char <= "\udfff") else "\ufffd" for char in text
        )
        .replace("\ufffe", "\ufffd")
        .replace("\uffff", "\ufffd")
    )
