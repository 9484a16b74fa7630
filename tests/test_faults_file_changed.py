"""Changed files of the workspace: the change is there, it is proved, and healing undoes exactly it."""

from __future__ import annotations

from pathlib import Path

import pytest

from drillbook.errors import EnvironmentFailed
from drillbook.faults.file_changed import FileSwapped, TextChanged
from tests.parts_environment import PartsEnvironment


@pytest.fixture
def environment(tmp_path: Path) -> PartsEnvironment:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "fees.py").write_text("FEE = 15\nLAST_FEE = 15\n")
    (workspace / "next.py").write_text("FEE = 25\n")
    (tmp_path / "outside.py").write_text("FEE = 15\n")
    return PartsEnvironment(workspace=workspace)


def test_a_text_is_changed_wherever_it_stands_and_comes_back(environment: PartsEnvironment) -> None:
    file = environment.workspace / "fees.py"
    fault = TextChanged("fees.py", "= 15", "= 16")
    active = fault.inject(environment)
    assert (file.read_text(), fault.target) == ("FEE = 16\nLAST_FEE = 16\n", "fees.py")
    active.heal()
    assert file.read_text() == "FEE = 15\nLAST_FEE = 15\n"


def test_a_file_takes_anothers_content_and_gets_its_own_back(environment: PartsEnvironment) -> None:
    file = environment.workspace / "fees.py"
    active = FileSwapped("fees.py", "next.py").inject(environment)
    assert file.read_text() == "FEE = 25\n"
    active.heal()
    assert file.read_text() == "FEE = 15\nLAST_FEE = 15\n"


@pytest.mark.parametrize(
    "fault",
    [
        TextChanged("fees.py", "= 99", "= 1"),
        TextChanged("fees.py", "= 15", "= 15"),
        TextChanged("nothing.py", "a", "b"),
        TextChanged("../outside.py", "= 15", "= 16"),
        FileSwapped("fees.py", "fees.py"),
        FileSwapped("fees.py", "nothing.py"),
    ],
    ids=str,
)
def test_what_changes_nothing_or_lies_elsewhere_is_no_fault(
    environment: PartsEnvironment, fault: TextChanged | FileSwapped
) -> None:
    with pytest.raises(EnvironmentFailed):
        fault.inject(environment)
    assert (environment.workspace / "fees.py").read_text() == "FEE = 15\nLAST_FEE = 15\n"
    assert (environment.workspace.parent / "outside.py").read_text() == "FEE = 15\n"
