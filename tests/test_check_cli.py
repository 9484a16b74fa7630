"""`drillbook check` and `drillbook rule` as users start them: exit codes, outputs, control, mends."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema  # type: ignore[import-untyped]
import pytest

from drillbook.check.batch import Plan, check_files
from drillbook.check.config import find_config
from drillbook.check.outputs import renderer
from drillbook.errors import UsageError
from tests.command_line import PROGRAM, REPOSITORY, drillbook

BAD = "# Watch\n\n```bash\nwhile true; do date; sleep 5; done\n```\n"
GOOD = "# Watch\n\n```bash\ndate\n```\n"
SARIF = REPOSITORY / "tests/fixtures/sarif-2.1.0-rtm.5.json"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bad.md").write_text(BAD)
    (tmp_path / "good.md").write_text(GOOD)
    return tmp_path


def test_a_clean_runbook_exits_0(folder: Path) -> None:
    done = drillbook("check", "good.md", cwd=folder)
    assert (done.returncode, done.stdout) == (0, "no findings in 1 file\n")


def test_a_finding_is_shown_with_its_line_and_a_caret(folder: Path) -> None:
    done = drillbook("check", ".", cwd=folder)
    assert done.returncode == 1
    assert done.stdout.splitlines()[:3] == [
        "bad.md:4:1: error NE101 this loop has no end: nobody gets to the next command",
        "    4 | while true; do date; sleep 5; done",
        "      | ^^^^^^^^^^",
    ]
    assert done.stdout.splitlines()[-1] == "1 error in 2 files"


def test_usage_errors_exit_2(folder: Path) -> None:
    for arguments in (["--select", "XX1"], ["--format", "xml"], ["--config", "none.toml"], ["--repo", "none"]):
        assert drillbook("check", ".", *arguments, cwd=folder).returncode == 2, arguments
    assert "no rule's code begins with 'XX1'" in drillbook("check", ".", "--select", "XX1", cwd=folder).stderr


def test_rules_are_selected_and_ignored_by_the_beginning_of_their_code(folder: Path) -> None:
    def codes(*arguments: str) -> set[str]:
        told = json.loads(drillbook("check", "bad.md", "--format", "json", *arguments, cwd=folder).stdout)
        return {finding["code"] for finding in told["findings"]}

    assert codes() == {"NE101"}
    assert codes("--select", "CL,PE") == set()
    assert codes("--ignore", "NE") == set()
    assert codes("--ignore", "NE", "--select", "NE101") == {"NE101"}


def test_only_errors_fail_unless_it_is_strict(folder: Path) -> None:
    (folder / "warn.md").write_text(
        "# A\n\n<!-- drillbook: ignore NE101 it was a loop once -->\n\n```bash\ndate\n```\n"
    )
    assert drillbook("check", "warn.md", cwd=folder).returncode == 0
    assert "warning IG101" in drillbook("check", "warn.md", cwd=folder).stdout
    assert drillbook("check", "warn.md", "--strict", cwd=folder).returncode == 1


@pytest.mark.parametrize(
    "text",
    [
        "# A\n\n<!-- drillbook: ignore NE101 shown in the hall -->\n\n```bash\nwhile true; do date; done\n```\n",
        "<!-- drillbook: ignore NE101 shown in the hall -->\n\n# A\n\n## B\n\n```bash\nwhile true; do date; done\n```\n",
        "# A\n\n<!-- drillbook: ignore NE101 shown in the hall -->\n- Watch:\n\n  ```bash\n  while true; do date; done\n  ```\n",
        "# A\n\n1. Watch:\n\n   <!-- drillbook: ignore CL101, NE101 hall -->\n   <!-- drillbook: ignore PE101 x -->\n\n"
        "   ```bash\n   while true; do curl -s x -o /dev/null; done\n   ```\n",
    ],
)
def test_a_comment_covers_what_stands_below_it(folder: Path, text: str) -> None:
    (folder / "r.md").write_text(text)
    told = json.loads(drillbook("check", "r.md", "--format", "json", "--ignore", "IG101", cwd=folder).stdout)
    assert told["findings"] == []


def test_a_comment_covers_nothing_else(folder: Path) -> None:
    (folder / "r.md").write_text(BAD.replace("```bash", "<!-- drillbook: ignore NE101 hall -->\n```bash") + BAD)
    told = json.loads(drillbook("check", "r.md", "--format", "json", cwd=folder).stdout)
    assert [(finding["code"], finding["line"]) for finding in told["findings"]] == [("NE101", 10)]


def test_a_code_fence_that_shows_such_a_comment_ignores_nothing(folder: Path) -> None:
    (folder / "r.md").write_text("# A\n\n```html\n<!-- drillbook: ignore NE101 -->\n```\n")
    assert drillbook("check", "r.md", cwd=folder).returncode == 0


def test_sarif_is_valid_by_its_schema_and_names_its_rules(folder: Path) -> None:
    (folder / "a b.md").write_text(BAD)
    done = drillbook("check", ".", "--format", "sarif", "--output", "out.sarif", cwd=folder)
    assert (done.returncode, done.stdout) == (1, "")
    told = json.loads((folder / "out.sarif").read_text())
    jsonschema.Draft4Validator(json.loads(SARIF.read_text())).validate(told)
    (run,) = told["runs"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["NE101"]
    assert [result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for result in run["results"]] == [
        "a%20b.md",
        "bad.md",
    ]
    assert run["results"][0]["locations"][0]["physicalLocation"]["region"] == {
        "startLine": 4, "startColumn": 1, "endLine": 4, "endColumn": 11,
    }  # fmt: skip


def test_the_schema_refuses_what_is_no_sarif() -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft4Validator(json.loads(SARIF.read_text())).validate({"version": "2.1.0", "runs": [{}]})


def test_github_gets_a_workflow_command_that_it_can_read(folder: Path) -> None:
    (folder / "a,b:c%.md").write_text(BAD)
    line = drillbook("check", "a,b:c%.md", "--format", "github", cwd=folder).stdout.splitlines()[0]
    assert line.startswith("::error file=a%2Cb%3Ac%25.md,line=4,endLine=4,col=1,endColumn=10,title=NE101::this loop")


def test_junit_counts_and_names_what_it_found(folder: Path) -> None:
    root = ET.fromstring(drillbook("check", ".", "--format", "junit", cwd=folder).stdout)
    assert [(suite.get("name"), suite.get("tests"), suite.get("failures")) for suite in root] == [
        ("bad.md", "1", "1"),
        ("good.md", "1", "0"),
    ]
    assert root[0][0].get("line") == "4"


def test_markdown_is_one_table(folder: Path) -> None:
    lines = drillbook("check", ".", "--format", "markdown", cwd=folder).stdout.splitlines()
    assert lines[0] == "**1 error in 2 files**"
    assert lines[4].startswith("| `bad.md:4` | error NE101 |")
    assert {line.count("|") - line.count("\\|") for line in lines[2:]} == {5}


def test_configuration_of_the_project_applies(folder: Path) -> None:
    (folder / "pyproject.toml").write_text('[tool.drillbook.check]\nignore = ["NE101"]\nexclude = ["old"]\n')
    (folder / "old").mkdir()
    (folder / "old/r.md").write_text(BAD)
    done = drillbook("check", ".", cwd=folder)
    assert (done.returncode, done.stdout) == (0, "no findings in 2 files\n")
    (folder / "drillbook.toml").write_text('[per-file-ignores]\n"bad.md" = ["NE"]\n')
    assert drillbook("check", ".", cwd=folder).stdout.splitlines()[-1] == "1 error in 3 files"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ignore = 'NE'\n", "drillbook.toml:1: 'ignore' is no list of strings"),
        ("\nselekt = ['NE']\n", "drillbook.toml:2: there is no key 'selekt'\n  mend: did you mean 'select'?"),
        ("strict = 1\n", "drillbook.toml:1: 'strict' is neither true nor false"),
        ("a = \n", "drillbook.toml:1: this is no TOML"),
        ("ignore = ['ZZ']\n", "no rule's code begins with 'ZZ'"),
    ],
)
def test_a_wrong_configuration_is_refused(folder: Path, text: str, says: str) -> None:
    (folder / "drillbook.toml").write_text(text)
    done = drillbook("check", ".", cwd=folder)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stdout == ""


def test_configuration_is_found_above_the_runbooks(folder: Path) -> None:
    (folder / "drillbook.toml").write_text("strict = true\n")
    (folder / "docs").mkdir()
    assert find_config(folder / "docs").strict
    assert not find_config(Path("/")).strict


def test_diff_shows_what_fix_does_and_changes_nothing(folder: Path) -> None:
    file = folder / "fix.md"
    comment = "<!-- drillbook: ignore NE101 it was a loop once -->"
    text = f"\ufeff# Ä\r\n\r\n{comment}\r\n```bash\r\ndate\r\n```\r\nThe end {comment} is near"
    after = "\ufeff# Ä\r\n\r\n```bash\r\ndate\r\n```\r\nThe end  is near"
    file.write_bytes(text.encode())
    file.chmod(0o640)
    shown = subprocess.run(
        [*PROGRAM, "check", "fix.md", "--diff"], cwd=folder, capture_output=True, check=False, stdin=subprocess.DEVNULL
    )
    assert file.read_bytes().decode() == text
    mended = drillbook("check", "fix.md", "--fix", "--strict", cwd=folder)
    assert (shown.returncode, mended.returncode) == (1, 0)
    assert mended.stderr == "mended 1 file\n"
    assert file.read_bytes().decode() == after
    assert file.stat().st_mode & 0o777 == 0o640
    file.write_bytes(text.encode())
    subprocess.run(["git", "apply", "-p0"], cwd=folder, input=shown.stdout, check=True, capture_output=True)
    assert file.read_bytes().decode() == after


def test_rule_explains_and_an_unknown_one_names_the_nearest() -> None:
    done = drillbook("rule", "ne101")
    assert done.stdout.startswith("# NE101 endless-loop\n")
    assert "## When it keeps silent" in done.stdout
    assert drillbook("rule", "endless-loop").stdout == done.stdout
    unknown = drillbook("rule", "NE10")
    assert unknown.returncode == 2
    assert "did you mean NE101" in unknown.stderr
    assert "| [NE101](NE101.md) | endless-loop | error |" in drillbook("rule", "--all").stdout
    assert "wiki/SC2086" in drillbook("rule", "SC2086").stdout
    assert drillbook("rule").returncode == 2


def test_every_form_renders_an_error_without_a_finding(folder: Path) -> None:
    (folder / "nul.md").write_bytes(b"\0")
    result = check_files([folder / "nul.md"], Plan())
    assert isinstance(result.errors[0], UsageError)
    for form in ("text", "json", "sarif", "github", "junit", "markdown"):
        assert renderer(form)(result)
