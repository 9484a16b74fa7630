"""Whatever a file holds, a check says something clear and ends soon: no crash, no time that grows faster than the text."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drillbook.check import check_text, read_document
from drillbook.check.engine import LARGEST
from drillbook.check.registry import all_rules
from drillbook.clock import SYSTEM_CLOCK
from tests.command_line import drillbook

RULES = all_rules()
FILE = Path("runbook.md")
FENCE = "```bash\n{}\n```\n\n"
SHAPES: dict[str, Callable[[int], str]] = {
    "fences": lambda n: FENCE.format("curl -f https://shop.example/health") * n,
    "titled fences": lambda n: ("Check it:\n\n" + FENCE.format("kubectl get pods")) * n,
    "headings of one name": lambda n: "# Restore\n\ntext\n\n" * n,
    "steps": lambda n: "- Call the team (+1-555-0123)\n" * n,
    "commands in one fence": lambda n: FENCE.format("psql -c 'drop table x' | tee log\n" * n),
    "a fence that does not parse": lambda n: FENCE.format("if then ( fi\n" * n),
    "open substitutions": lambda n: FENCE.format("$(" * n),
    "open here-documents": lambda n: FENCE.format("cat <<EOF\n" * n),
    "PowerShell loops": lambda n: "```powershell\n" + "while ($true) { x\n" * n + "```\n",
    "sessions": lambda n: "```console\n" + "$ date\nThu 1 Jan\n" * n + "```\n",
    "ignores": lambda n: "<!-- drillbook: ignore NE101 because -->\n\n" * n,
    "open comments": lambda n: "<!-- \n\n" * n,
    "links": lambda n: "[a](b.md#c) " * n,
    "brackets": lambda n: "[" * n + "\n",
    "table rows": lambda n: "| a | b |\n|---|---|\n" + "| 5 min | `x` |\n" * n,
    "plus signs": lambda n: "+1 " * n + "\n",
    "placeholders": lambda n: FENCE.format("<a " * n),
    "bounds": lambda n: "call within recovery time under 5 " * n + "\n",
    "variables": lambda n: FENCE.format('A="$B" ' * n),
    "quotes": lambda n: FENCE.format('"' * n),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_twice_the_text_takes_no_more_than_about_twice_the_time(shape: str) -> None:
    make, count = SHAPES[shape], 600
    while _seconds(make(count)) < 0.03:  # less is lost in what else the interpreter does
        count *= 2
    ratios = []
    for _ in range(5):
        once, twice = (_seconds(make(size)) for size in (count, 2 * count))
        ratios.append(twice / once)
        if ratios[-1] < 2.8:
            break
    assert min(ratios) < 3.2, ratios


def test_ten_thousand_fences_are_read() -> None:
    began = SYSTEM_CLOCK.now()
    document = read_document(FENCE.format("date") * 10_000, FILE)
    assert len(document.blocks) == 10_000
    assert SYSTEM_CLOCK.now() - began < 20


def test_lists_nested_two_hundred_deep_are_read() -> None:
    text = "".join("  " * depth + "- step\n" for depth in range(200))
    assert check_text(f"# Deep\n\n{text}", FILE, RULES) == ()


def test_files_that_are_no_runbooks_are_refused_and_the_others_checked(tmp_path: Path) -> None:
    (tmp_path / "latin.md").write_bytes(b"# Caf\n\ncaf\xe9\n")
    (tmp_path / "nul.md").write_bytes(b"# A\n\n\0\n")
    (tmp_path / "good.md").write_text("# A\n\n" + FENCE.format("while true; do date; done"))
    with (tmp_path / "large.md").open("wb") as large:
        large.truncate(50_000_000)
    (tmp_path / "dangling.md").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop.md").symlink_to(tmp_path / "loop.md")
    done = drillbook("check", ".", cwd=tmp_path)
    assert done.returncode == 2
    assert "good.md:4:1: error NE101" in done.stdout
    assert "1 error in 1 file, 5 files not checked" in done.stdout
    assert "latin.md:3: the runbook is not UTF-8: byte 0xe9" in done.stderr
    assert "nul.md:3: there is a NUL byte" in done.stderr
    assert "large.md: the file has 50 MB" in done.stderr
    assert "dangling.md: cannot read the runbook: No such file" in done.stderr
    assert "loop.md: cannot read the runbook: Too many levels of symbolic links" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_loop_of_folders_is_walked_once(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/b").symlink_to(tmp_path)
    (tmp_path / "a/r.md").write_text("# A\n")
    done = drillbook("check", ".", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "no findings in 1 file\n")


def test_a_folder_without_markdown_and_a_path_to_nothing_are_usage_errors(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no runbook")
    empty = drillbook("check", ".", cwd=tmp_path)
    assert (empty.returncode, empty.stdout) == (2, "")
    assert "no Markdown below this directory" in empty.stderr
    gone = drillbook("check", "gone.md", cwd=tmp_path)
    assert gone.returncode == 2
    assert "gone.md: there is no such file or directory" in gone.stderr


def test_a_file_at_the_limit_is_read_and_one_beyond_is_not(tmp_path: Path) -> None:
    file = tmp_path / "r.md"
    file.write_bytes(b"# A\n" + b"\n" * (LARGEST - 4))
    assert drillbook("check", file, "--no-shellcheck").returncode == 0
    with file.open("ab") as more:
        more.write(b"\n")
    assert drillbook("check", file, "--no-shellcheck").returncode == 2


def test_many_files_give_what_one_at_a_time_gives(tmp_path: Path) -> None:
    for number in range(60):
        loop = "while true; do date; done" if number % 3 else "date"
        (tmp_path / f"{number:02}.md").write_text(f"# Runbook {number}\n\n" + FENCE.format(loop))
    together = drillbook("check", ".", "--no-shellcheck", cwd=tmp_path).stdout
    alone = [f"{number:02}.md:4:1" in together for number in range(60)]
    assert alone == [bool(number % 3) for number in range(60)]
    assert together.endswith("40 errors in 60 files\n")
    assert together.index("01.md") < together.index("58.md")


PIECES = st.sampled_from(
    [
        "# Down\n", "## Production\n", "```bash\n", "```\n", "```powershell\n", "```console\n", "$ ", "curl -f ",
        "https://x.example ", "while true; do ", "done", "; ", "\n", "\n\n", "- ", "1. ", "  ", "\t", "> ", "| ",
        "|---|\n", "<!-- drillbook: ignore NE101 x -->", "<!--", "-->", "'", '"', "\\", "$(", ")", "${A:-", "}",
        "<<EOF\n", "EOF\n", "<pod-name>", "kubectl ", "psql ", "-c ", "rm -rf ", "$X ", "[a](#b) ", "+1-555-0123 ",
        "within 5 minutes ", "Call ", "é", "😀", "\u2028", "\r\n", "`", "&& ", "|| ", "& ", "sudo ", "timeout 5 ",
        "bash -c '", "ssh host '", "!", "{ ", "case x in ", "esac ", "if ", "then ", "fi ", "for ((;;)); do ",
        "export A=", "#", "# if so\n", "---\n", "a: b\n", "docker run ", "git push --force ", "pg_restore --clean ",
        "aws ", "helm ", "npm ", "vercel --prod rollback ",
    ]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.lists(PIECES, max_size=60).map("".join), st.text(max_size=200)))
def test_any_text_is_checked_and_every_finding_lies_in_it(text: str) -> None:
    document = read_document(text, FILE)
    lines = document.lines
    for finding in check_text(text, FILE, RULES):
        assert 1 <= finding.line <= finding.end.line <= len(lines)
        assert finding.start <= finding.end
        assert finding.column <= len(lines[finding.line - 1]) + 1
        assert finding.end.column <= len(lines[finding.end.line - 1]) + 1
    for command in document.commands():
        assert document.shown(command.all_words[0].span) == command.all_words[0].text if command.all_words else True


def _seconds(text: str) -> float:
    gc.collect()
    gc.disable()  # a collection costs as much as there is in the whole interpreter, whatever the text
    try:
        began = time.process_time()
        check_text(text, FILE, RULES)
        return time.process_time() - began
    finally:
        gc.enable()
