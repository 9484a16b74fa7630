"""Where commands end: bash by its grammar, PowerShell by what is open, transcripts by their prompts."""

from __future__ import annotations

import pytest

from drillbook.runbook import powershell, shell, transcript
from drillbook.runbook.shell import Fragment


def texts(fragments: tuple[Fragment, ...]) -> list[str]:
    return [fragment.text for fragment in fragments if not fragment.comment]


ONE_COMMAND = [
    "curl -f \\\n  -H 'a: b' \\\n  https://x",
    "cat <<EOF > f\n# no comment\n\n$(date)\nEOF",
    "cat <<-'END' | sort\n\tb\n\tEND",
    "while true; do\n  # wait\n  sleep 1\n\n  date\ndone",
    "if a; then\n  b\nelif c; then\n  d\nfi",
    "case $x in\n  a) b ;;\n  *) c ;;\nesac",
    "f() {\n  echo hi\n}",
    "a |\n  b |\n  c",
    "a &&\n  b ||\n  c",
    'echo "two\nlines # no note"',
    "x=$(\n  date\n)",
    "(\n  cd x\n  y\n)",
    "a; b & c",
    "npm run dev &",
    "list=(\n  a\n  b\n)",
    "kubectl logs <pod-name>",
    "[[ -f x ]] && (( i++ ))",
]


@pytest.mark.parametrize("command", ONE_COMMAND)
def test_a_compound_is_one_command(command: str) -> None:
    found = shell.split(f"first\n\n{command}\n# after\nlast  # note\n")
    assert texts(found) == ["first", command, "last"]
    assert [part.row for part in found][:2] == [0, 2]
    assert found[-1].note == "note"


def test_a_note_is_not_text() -> None:
    first, second = shell.split('npm test      # Unit: "all"\necho "#1"  # é → done')
    assert (first.text, first.note) == ("npm test", 'Unit: "all"')
    assert (second.text, second.note) == ('echo "#1"', "é → done")


def test_comments_stand_alone() -> None:
    assert shell.split("# a\nb\n\n  ## c") == (
        Fragment("a", 0, comment=True),
        Fragment("b", 1),
        Fragment("c", 3, comment=True),
    )


def test_an_error_takes_only_its_own_rows() -> None:
    found = shell.split("one\nwhile ($true) {\n  x\n}\ntwo\n")
    assert texts(found)[0] == "one"
    assert texts(found)[-1] == "two"
    assert "while ($true) {\n  x\n}" in "\n".join(texts(found))


def test_two_here_documents_of_one_command_stay_data() -> None:
    command = "diff /dev/fd/3 /dev/fd/4 3<<A 4<<B\nrm -rf one\nA\nrm -rf two\nB"
    found = texts(shell.split(f"{command}\nlast"))
    assert found == [command, "last"]


def test_an_open_quote_does_not_crash() -> None:
    assert texts(shell.split("echo it's\nls\n"))[0].startswith("echo it's")


def test_placeholders_do_not_join_lines() -> None:
    assert texts(shell.split("kubectl logs <pod-name>\nkubectl get pods\n")) == [
        "kubectl logs <pod-name>",
        "kubectl get pods",
    ]


@pytest.mark.parametrize(
    ("text", "complete"),
    [("ls", True), ("ls \\", False), ("echo 'a", False), ("for i in a; do", False), ("cat <<E", False), ("a |", False)],
)
def test_is_complete(text: str, complete: bool) -> None:
    assert shell.is_complete(text) is complete


POWERSHELL = [
    "while ($true) {\n  try {\n    x\n  } catch {\n    y\n  }\n}",
    "Get-A |\n  Select-B",
    "Get-A `\n  -B c",
    "Get-A\n  | Select-B",
    "if ($a) {\n}\nelse {\n}",
    "do {\n  x # {\n} \nwhile ($y)",
    '$text = @"\n} # not closed "\n"@',
    '$list = @(\n  \'a\',\n  "b`"{"\n)',
    "<# about { #> Get-A",
]


@pytest.mark.parametrize("command", POWERSHELL)
def test_powershell_compounds(command: str) -> None:
    found = powershell.split(f"First\n# next\n{command}\nLast # note")
    assert texts(found) == ["First", command, "Last"]
    assert found[-1].note == "note"


@pytest.mark.parametrize(
    ("row", "typed"),
    [
        ("$ ls", "ls"),
        ("  $ ls", "ls"),
        ("% ls", "ls"),
        ("me@host:~/x$ ls", "ls"),
        ("[me@host ~]$ ls", "ls"),
        ("(venv) me@host:~$ ls", "ls"),
        ("root@host:/# ls", "ls"),
        ("PS C:\\Users\\x> Get-A", "Get-A"),
        ("PS> Get-A", "Get-A"),
    ],
)
def test_prompts_are_stripped(row: str, typed: str) -> None:
    assert [part.text for part, _ in transcript.read(f"{row}\nsome output\n> more output")] == [typed]


def test_output_that_looks_like_a_continuation_is_dropped() -> None:
    read = transcript.read("$ npm run build\n> next build\n$ cat <<E\n> x\n> E\nx")
    assert [(part.text, part.row) for part, _ in read] == [("npm run build", 0), ("cat <<E\nx\nE", 2)]


def test_a_command_that_never_ends_leaves_the_output_alone() -> None:
    read = transcript.read("$ echo it's\nits output\n$ ls")
    assert [(part.text, part.row) for part, _ in read] == [("echo it's", 0), ("ls", 2)]


def test_root_prompts_only_where_there_is_no_other() -> None:
    assert [part.text for part, _ in transcript.read("# ls -l\nx", root=True)] == ["ls -l"]
    mixed = [(part.text, part.comment) for part, _ in transcript.read("# first\n$ ls", root=True)]
    assert mixed == [("first", True), ("ls", False)]
