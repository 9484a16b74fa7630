"""ShellCheck over a runbook's fences: its findings at the runbook's own lines, from one process for all of them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from drillbook.check import Place, Severity, read_document, shellcheck
from drillbook.check.batch import Plan, check_files
from tests.command_line import drillbook

TEXT = """# Files

1. Look:

   ```bash
   date
   for f in $(ls *.log); do echo "ä"; rm $f; done
   ```

```console
$ date
Thu
$ cp $SOURCE /backup
```
"""


@pytest.fixture
def program() -> str:
    found = shellcheck.program()
    if found is None:
        pytest.skip("shellcheck is not installed: pip install 'drillbook[shellcheck]'")
    return found


@pytest.mark.usefixtures("program")
def test_findings_stand_at_the_runbooks_own_places(tmp_path: Path) -> None:
    file = tmp_path / "r.md"
    file.write_text(TEXT)
    found = {(one.code, one.start, one.severity) for one in check_files([file], Plan(("SC",))).findings}
    assert ("SC2045", Place(7, 13), Severity.ERROR) in found
    assert ("SC2086", Place(7, 42), Severity.HINT) in found
    assert ("SC2086", Place(13, 6), Severity.HINT) in found


@pytest.mark.usefixtures("program")
def test_variables_and_folders_of_the_operators_shell_are_no_findings(tmp_path: Path) -> None:
    file = tmp_path / "r.md"
    file.write_text('# A\n\n```bash\nbackup=a.dump\necho "$PGHOST"\ncd "$BACKUP_DIR"\npsql -h <host>\n```\n')
    assert [one for one in check_files([file], Plan(("SC",))).findings if one.severity is not Severity.HINT] == []


def test_it_is_started_once_for_all_fences(tmp_path: Path, program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    counter, wrapper = tmp_path / "starts", tmp_path / "shellcheck"
    wrapper.write_text(f'#!/bin/sh\necho x >> {counter}\nexec {program} "$@"\n')
    wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(shellcheck, "program", lambda: str(wrapper))
    files = [tmp_path / f"{number}.md" for number in range(5)]
    for file in files:
        file.write_text("# A\n\n" + "```bash\nrm $x\n```\n\n" * 20)
    found = check_files(files, Plan(("SC2086",))).findings
    assert len(found) == 100
    assert counter.read_text() == "x\n"


def test_without_it_a_note_says_so_and_its_ignores_are_not_unused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shellcheck, "program", lambda: None)
    file = tmp_path / "r.md"
    file.write_text("# A\n\n<!-- drillbook: ignore SC2086 one word -->\n\n```bash\nrm $x\n```\n")
    assert [one.code for one in check_files([file], Plan()).findings if one.code[:2] in ("IG", "SC")] == []


def test_an_ignore_of_its_code_takes_its_finding_away(tmp_path: Path, program: str) -> None:
    file = tmp_path / "r.md"
    file.write_text("# A\n\n<!-- drillbook: ignore SC2086 one word -->\n\n```bash\nrm $x\n```\n")
    assert os.access(program, os.X_OK)
    told = drillbook("check", file, "--select", "SC,IG").stdout
    assert told == "no findings in 1 file\n"


def test_a_fence_that_does_not_parse_is_not_given_to_it() -> None:
    document = read_document("# A\n\n```bash\nif then (\n```\n", Path("r.md"))
    assert list(shellcheck.snippets(document)) == []
