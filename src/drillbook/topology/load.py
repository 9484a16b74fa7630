"""environment.yaml -> Topology, or every error of the file at once, each with its line, its key and what was expected.

Light until it is called: pydantic and PyYAML are imported by the first load, for the command line must answer at once.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from drillbook.errors import UsageError, UsageErrors

if TYPE_CHECKING:
    from drillbook.topology.document import Document
    from drillbook.topology.model import Topology
    from drillbook.topology.problem import Problem


def load(path: Path, *, check_runbook: bool = True) -> Topology:
    """Read an environment file, check it, and check it against its runbook (unless told not to).

    Raises UsageErrors, whose `errors` are all that is wrong, by line; what cannot be checked while something else is
    wrong (a runbook beside a broken file) is left to the next load.
    """
    from drillbook.topology.check_references import check_references
    from drillbook.topology.document import read_document

    try:
        document = read_document(path)
    except UsageError as error:
        raise UsageErrors([error]) from error
    topology, problems = _validate(document)
    problems += check_references(document)
    if topology is not None:
        problems += _cross_checks(topology, check_runbook=check_runbook)
    errors = [*document.defects, *(problem.error(document) for problem in problems)]
    if errors or topology is None:
        raise UsageErrors(errors)
    return topology


def _validate(document: Document) -> tuple[Topology | None, list[Problem]]:
    from pydantic import ValidationError

    from drillbook.topology.explain import explain
    from drillbook.topology.model import Topology

    file = document.file.absolute()
    try:
        # As JSON: pydantic's strict mode then takes arrays for tuples, and nothing else for what it is not.
        topology = Topology.model_validate_json(json.dumps(document.root.data), context=file.parent)
    except ValidationError as error:
        findings = error.errors(include_url=False)
        return None, explain(findings, document.root.data, Topology.model_json_schema())
    return topology.at(file), []


def _cross_checks(topology: Topology, *, check_runbook: bool) -> list[Problem]:
    from drillbook.topology.check import check
    from drillbook.topology.problem import Problem

    problems = list(check(topology))
    if not topology.runbook.is_file():
        return [*problems, Problem(("runbook",), f"there is no file {topology.runbook}", "correct the path")]
    if check_runbook:
        from drillbook.runbook import parse
        from drillbook.topology import check_runbook as against

        problems += against.check_runbook(topology, parse(topology.runbook))
    return problems
