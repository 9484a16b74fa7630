"""What must hold for any text whatever: the parser never crashes, and each command stands where it claims."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from drillbook.runbook import Command, Runbook, parse_text
from drillbook.runbook.outline import as_json, as_text

FILE = Path("any.md")

FRAGMENTS = st.sampled_from(
    [
        "# A", "## 1. B (< 5 minutes)", "Title\n=====", "- Call Ada", "1. Run it:", "> quote", "```bash", "```", "~~~sh",
        "~~~", "````console title=x", "````", "```powershell", "```json", "   ```", "> ```sh", "> ```", "    indented",
        "$ ls \\", "> -l", "# Step 2: Look", "# Call Ada (+1-555-0199)", "# npx x --y", "cat <<EOF", "EOF", "for i in a; do",
        "done", "echo 'it", "x | \\", "if x; then", "fi", "PS C:\\> Get-A |", ">> B", "while ($true) {", "}", "a; b &  # note",
        "kubectl logs <pod>", "case x in", "a) b ;;", "esac", "`code", "**within 2 min**", "| RTO | 1h |", "|---|---|",
        "\t- tab", "---", "title: x", "<details>", "", "é → 漢字 # ü", "@\"", "\"@", "RTO: 1 h 30 min", "$(", ")", "<<A <<B",
        "x\u2028y", "form\x0cfeed", "\ttabbed", "  two", "root@h:/# ls", "{ \"a\"", "[x](#a)", "\\",
    ]
)  # fmt: skip
DOCUMENTS = st.lists(st.one_of(FRAGMENTS, st.text(max_size=12)), max_size=25).map("\n".join)


def stands_at_its_line(text: str, command: Command) -> bool:
    """Whether each line of a command ends, or with a note goes on, at its place; before it only indent and prompt."""
    lines = re.split(r"\r\n|\r|\n", text.replace("\0", "\ufffd"))
    for offset, part in enumerate(command.text.split("\n")):
        index = command.line - 1 + offset
        if index >= len(lines) or part.strip() not in lines[index]:
            return False
    return command.text != ""


def check(text: str) -> Runbook:
    runbook = parse_text(text, FILE)
    count = len(re.split(r"\r\n|\r|\n", text))
    for command in runbook.commands:
        assert stands_at_its_line(text.removeprefix("\ufeff"), command), command
    for section in runbook.sections:
        for line in (section.line, *(t.line for t in section.targets), *(s.line for s in section.steps)):
            assert 1 <= line <= count
        assert all(step.title for step in section.steps)
        assert all(target.seconds >= 0 for target in section.targets)
    paths = [section.path for section in runbook.sections]
    assert len(set(paths)) == len(paths)
    assert len(as_json(runbook)["sections"]) == len(runbook.sections)
    assert as_text(runbook)
    return runbook


@settings(deadline=None, max_examples=300, derandomize=True)
@given(DOCUMENTS)
def test_any_document(text: str) -> None:
    check(text)


@settings(deadline=None, max_examples=200, derandomize=True)
@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    check(text)


@settings(deadline=None, max_examples=200, derandomize=True)
@given(
    st.sampled_from(["bash", "sh", "", "console", "powershell", "Shell x=y"]),
    st.sampled_from(["", "> ", "  ", "1. "]),
    st.lists(
        st.one_of(FRAGMENTS.filter(lambda text: "```" not in text and "~~~" not in text)), min_size=1, max_size=15
    ),
)
def test_any_fence(info: str, prefix: str, rows: list[str]) -> None:
    indent = "   " if prefix == "1. " else prefix
    body = "\n".join(rows).split("\n")
    check("\n".join([f"{prefix}`````{info}", *(indent + row for row in body), f"{indent}`````"]))


@settings(deadline=None, max_examples=100, derandomize=True)
@given(
    st.lists(
        st.sampled_from(["ls -l", "for i in a b; do\n  echo $i\ndone", "cat <<E\nx\nE", "a | b", "c \\\n  d"]),
        max_size=8,
    )
)
def test_good_commands_are_found_one_by_one(commands: list[str]) -> None:
    text = "```bash\n" + "".join(f"{command}\n" for command in commands) + "```\n"
    assert [command.text for command in check(text).commands] == commands
