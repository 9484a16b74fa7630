"""What rules are told of a fence's commands: names behind wrappers, options, roles, and places in the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from drillbook.check import Document, Kind, Role, SimpleCommand, read_document

FILE = Path("runbook.md")


def bash(code: str, language: str = "bash") -> Document:
    return read_document(f"# Title\n\n```{language}\n{code}\n```\n", FILE)


def only(code: str, name: str) -> SimpleCommand:
    (found,) = bash(code).commands(name)
    return found


def test_every_word_stands_where_its_span_says() -> None:
    item = "1. Döner:\n\n   ```bash\n   echo 'ä' | grep -q \"ö $X\" && curl -f https://x.example/é\n   ```\n\n"
    text = f"{item}> ```sh\n> date -u\n> ```\n"
    document = read_document(text, FILE)
    words = [word for command in document.commands() for word in command.words]
    assert [document.shown(word.span) for word in words] == [word.text for word in words]
    assert [command.name for command in document.commands()] == ["echo", "grep", "curl", "date"]
    assert [command.line for command in document.commands()] == [4, 4, 4, 8]


def test_a_tab_before_a_fence_does_not_move_places() -> None:
    document = read_document("-\tDo it:\n\n\t```bash\n\tdate -u\n\t```\n", FILE)
    (command,) = document.commands("date")
    assert document.place(command.span.start).line == 4
    assert document.shown(command.span) == "date -u"


@pytest.mark.parametrize(
    ("code", "wrappers"),
    [
        ("sudo -u postgres psql -l", ("sudo",)),
        ("sudo timeout -k 5 10 psql -l", ("sudo", "timeout")),
        ("env PGHOST=x nice -n 5 psql -l", ("env", "nice")),
        ("PGHOST=x time /usr/bin/psql -l", ("time",)),
        ("nohup psql -l &", ("nohup",)),
    ],
)
def test_the_program_is_found_behind_what_wraps_it(code: str, wrappers: tuple[str, ...]) -> None:
    command = only(code, "psql")
    assert command.wrappers == wrappers
    assert command.has("-l")


@pytest.mark.parametrize(
    ("code", "role"),
    [
        ("if curl x; then date; fi", Role.CONDITION),
        ("until curl x; do sleep 1; done", Role.LOOP_CONDITION),
        ("while date; do curl x; done", Role.LOOP_BODY),
        ("a=$(curl x)", Role.SUBSTITUTION),
        ("(curl x)", Role.SUBSHELL),
        ("curl x && date", Role.BEFORE_AND),
        ("date && curl x", Role.AFTER_AND),
        ("curl x || date", Role.BEFORE_OR),
        ("date || curl x", Role.AFTER_OR),
        ("! curl x", Role.NEGATED),
        ("curl x &\nwait", Role.BACKGROUND),
        ("f() { curl x; }", Role.FUNCTION),
        ("bash -c 'curl x'", Role.NESTED),
        ("watch -n 10 'curl x'", Role.NESTED),
        ('ssh db1 "curl x"', Role.NESTED),
        ("case a in b) curl x ;; esac", Role.BRANCH),
        ("if date; then curl x; fi", Role.BRANCH),
        ("echo \"${A:-$(curl x)}\"", Role.SUBSTITUTION),
        ("cat <(curl x)", Role.SUBSTITUTION),
        ("export A=$(curl x)", Role.SUBSTITUTION),
    ],
)  # fmt: skip
def test_a_command_knows_what_surrounds_it(code: str, role: Role) -> None:
    assert only(code, "curl").roles[-2:].count(role) == 1


def test_options_are_found_in_clusters_and_with_their_values() -> None:
    command = only("curl -fsSm10 --retry=3 -o /dev/null -H 'a: b' https://x.example", "curl")
    assert all(command.has(option) for option in ("-f", "-s", "-S", "-m", "--retry", "-o"))
    assert not command.has("-k", "-x")
    assert command.setting("-m", "--max-time") == "10"
    assert command.setting("--retry") == "3"
    assert command.setting("-o") == "/dev/null"
    assert [word.text for word in command.operands()] == ["https://x.example"]


def test_pipelines_keep_their_order_and_their_last() -> None:
    document = bash("pg_dump db | gzip > x.gz")
    (pipeline,) = document.pipelines()
    assert [command.name for command in pipeline.commands] == ["pg_dump", "gzip"]
    assert [command.is_last_in_pipeline for command in pipeline.commands] == [False, True]
    (redirect,) = next(iter(document.commands("gzip"))).redirects
    assert (redirect.operator, redirect.target and redirect.target.text) == (">", "x.gz")


def test_values_are_known_only_where_the_shell_has_no_say() -> None:
    command = only("""psql "a b" 'c $d' "e $f" g\\ h i"j"k $(l)""", "psql")
    assert [word.value for word in command.arguments] == ["a b", "c $d", None, "g h", "ijk", None]


def test_variables_set_and_read_are_told() -> None:
    document = bash('A=1\nexport B=2\nfor c in x; do echo "$A ${D:-no} ${E}"; done')
    assert [one.name for one in document.assignments()] == ["A", "B", "c"]
    assert [(one.name, one.guarded) for one in document.uses()] == [("A", False), ("D", True), ("E", False)]


def test_a_row_that_does_not_parse_hides_no_other() -> None:
    document = bash("date\nif then (\ncurl -f https://x.example")
    assert {"date", "curl"} <= {command.name for command in document.commands()}
    assert document.blocks[0].script.broken


def test_prompts_and_output_of_a_session_are_no_commands() -> None:
    document = bash("$ kubectl get pods \\\n    -n shop\nNAME READY\nrm -rf /\n$ date", "console")
    assert [command.name for command in document.commands()] == ["kubectl", "date"]
    (command,) = document.commands("kubectl")
    assert document.place(command.span.start) < document.place(command.span.end)
    assert document.shown(command.words[0].span) == "kubectl"


def test_of_powershell_the_plain_calls_are_commands() -> None:
    document = bash(
        "# Step 1\ncurl -f https://x.example\n$a = Get-Date\nvercel --prod rollback\nWrite-Host hi", "powershell"
    )
    assert [command.name for command in document.commands()] == ["curl", "vercel"]


def test_a_placeholder_is_a_word() -> None:
    command = only("kubectl logs <pod-name> -n shop", "kubectl")
    assert [word.text for word in command.operands()] == ["logs", "<pod-name>"]


def test_a_section_is_of_the_kind_its_nearest_title_says() -> None:
    document = read_document("# Incident: API down\n\n## Production\n\n### Try locally first\n\n## Staging\n", FILE)
    kinds = [document.kinds(section) for section in document.sections]
    assert [Kind.EMERGENCY in kind for kind in kinds] == [True] * 4
    assert [kind - {Kind.EMERGENCY} for kind in kinds] == [
        frozenset(), {Kind.PRODUCTION}, {Kind.DEVELOPMENT}, {Kind.STAGING},
    ]  # fmt: skip
