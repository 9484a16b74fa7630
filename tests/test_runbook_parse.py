"""The parser on the reference runbook, on a runbook with everything the wild has, and on our own edition."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from drillbook.errors import UsageError
from drillbook.runbook import Command, Runbook, Section, StepKind, find_section, parse, parse_text

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT.parent / "shared" / "reference" / "meta-aggregator-runbook.md"
EDITION = ROOT / "environments" / "meta_aggregator" / "runbook.md"
WILD = Path(__file__).parent / "fixtures" / "runbooks" / "wild.md"

SYSTEM_DOWN = "1. System Down - Complete Outage"
CONTRACT = "2. Smart Contract Issue"


@pytest.fixture(scope="module")
def reference() -> Runbook:
    if not REFERENCE.exists():
        pytest.skip("the reference runbook is not beside this repository")
    return parse(REFERENCE)


@pytest.fixture(scope="module")
def wild() -> Runbook:
    return parse(WILD)


def commands(section: Section) -> list[Command]:
    return [command for step in section.steps for command in step.commands]


def outline(section: Section) -> list[tuple[str, str, int]]:
    return [(step.kind.value, step.title, len(step.commands)) for step in section.steps]


def section_of(markdown: str) -> Section:
    return parse_text(f"# T\n\n{markdown}", Path("r.md")).sections[0]


def targets(runbook: Runbook) -> list[tuple[str, float, int]]:
    return [(section.title, target.seconds, target.line) for section in runbook.sections for target in section.targets]


class TestReference:
    def test_has_fourteen_fences_and_the_three_targets(self, reference: Runbook) -> None:
        assert reference.title == "Meta Aggregator 2.0 - Operational Runbook"
        assert reference.fences == 14
        assert targets(reference) == [(SYSTEM_DOWN, 300, 80), (SYSTEM_DOWN, 1800, 110), (CONTRACT, 120, 117)]

    def test_every_command_stands_at_its_line(self, reference: Runbook) -> None:
        lines = REFERENCE.read_text().split("\n")
        assert len(reference.commands) == 57
        for command in reference.commands:
            for offset, text in enumerate(command.text.split("\n")):
                assert lines[command.line - 1 + offset].startswith(text)

    def test_comments_name_steps_and_ask_people(self, reference: Runbook) -> None:
        assert outline(find_section(reference, SYSTEM_DOWN)) == [
            ("manual", "Send Slack message to #emergency-response", 0),
            ("manual", "Call primary on-call: Joeri (+1-555-0123)", 0),
            ("command", "Check external dependencies", 2),
            ("command", "Check our services", 2),
            ("decision", "If services down, rollback latest deployment", 1),
            ("command", "Monitor recovery", 1),
            ("manual", "Update status page: status.metaaggregator.com", 0),
            ("manual", "Send customer communication via email/social media", 0),
            ("manual", "Document incident in incident log", 0),
        ]

    def test_a_command_switched_off_is_no_command(self, reference: Runbook) -> None:
        section = find_section(reference, CONTRACT)
        assert outline(section)[5] == (
            "decision",
            "Deploy emergency fix if needed (Security Team approval required)",
            0,
        )
        assert not [command for command in commands(section) if "deployEmergencyFix" in command.text]

    def test_contacts_are_no_steps(self, reference: Runbook) -> None:
        assert find_section(reference, "On-Call Escalation Path").steps == ()
        assert find_section(reference, "Communication Channels").steps == ()

    def test_a_target_governs_the_steps_below_it(self, reference: Runbook) -> None:
        section = find_section(reference, SYSTEM_DOWN)
        immediate, follow_up = section.targets
        assert len(section.steps_for(immediate)) == 6
        assert [step.line for step in section.steps_for(follow_up)] == [111, 112, 113]


class TestEdition:
    def test_keeps_the_targets_in_their_sections(self) -> None:
        found = [(title, seconds) for title, seconds, _ in targets(parse(EDITION))]
        assert found == [(SYSTEM_DOWN, 300), (SYSTEM_DOWN, 1800), (CONTRACT, 120)]

    def test_keeps_every_section_of_the_original(self, reference: Runbook) -> None:
        assert [s.path for s in parse(EDITION).sections] == [s.path for s in reference.sections]

    def test_no_command_is_endless_unbounded_or_unparsed(self) -> None:
        for command in parse(EDITION).commands:
            assert command.language == "bash"
            assert "curl" not in command.text or "--max-time" in command.text, command
            assert "npx" not in command.text or "--no-install" in command.text, command

    def test_bash_accepts_every_command(self) -> None:
        for command in parse(EDITION).commands:
            checked = subprocess.run(["bash", "-n"], input=command.text, capture_output=True, text=True, check=False)
            assert checked.returncode == 0, f"line {command.line}: {checked.stderr}"

    def test_alerts_first_and_escalates_last_in_the_immediate_actions(self) -> None:
        section = find_section(parse(EDITION), SYSTEM_DOWN)
        steps = section.steps_for(section.targets[0])
        assert [step.kind for step in steps[:2]] == [StepKind.MANUAL, StepKind.MANUAL]
        assert steps[-1].kind is StepKind.DECISION
        assert "call secondary on-call" in steps[-1].title


class TestWild:
    def test_front_matter_is_no_heading(self, wild: Runbook) -> None:
        assert wild.title == "Shop runbook"
        assert (wild.sections[0].title, wild.sections[0].line, wild.sections[0].level) == ("Shop runbook", 6, 1)

    def test_duplicate_headings_stay_addressable(self, wild: Runbook) -> None:
        found = [(section.path, section.anchor) for section in wild.sections if section.title == "Rollback"]
        assert found == [
            ("Shop runbook / 1. Restore the site (within 2 min) / Rollback", "rollback"),
            ("Shop runbook / 2. Database / Rollback", "rollback-1"),
            ("Shop runbook / Rollback", "rollback-2"),
        ]

    def test_targets_wherever_they_stand(self, wild: Runbook) -> None:
        assert targets(wild) == [
            ("Shop runbook", 3600, 9),
            ("1. Restore the site (within 2 min)", 120, 17),
            ("Rollback", 5400, 106),
            ("Rollback", 90, 108),
            ("Rollback", 14400, 112),
        ]

    def test_a_table_of_contents_asks_for_nothing(self, wild: Runbook) -> None:
        assert find_section(wild, "contents").steps == ()

    def test_fences_in_lists_and_quotes(self, wild: Runbook) -> None:
        section = find_section(wild, "restore the site (within 2 min)")
        assert outline(section) == [
            ("command", "Check the pods", 1),
            ("decision", "If a pod is broken, restart it", 1),
            ("manual", "Call the on-call lead: Ada (+1-555-0199)", 0),
            ("manual", "Please tell the team in #shop", 0),
            ("command", "Then, in a quote", 2),
        ]
        first, loop, note, case = commands(section)
        assert (first.text, first.note) == ("kubectl get pods \\\n  --namespace shop", "all of them")
        assert (first.line, first.language) == (24, "bash")
        assert loop.text.startswith("for pod in a b; do\n  # one by one\n")
        assert (loop.line, loop.language) == (32, "sh")
        assert note.text == "cat > /tmp/note <<'END'\n```\n# not a comment\nEND"
        assert (case.text.split("\n")[0], case.line) == ('case "$1" in', 48)

    def test_console_transcripts(self, wild: Runbook) -> None:
        section = find_section(wild, "1. Restore the site (within 2 min) / Rollback")
        assert [(command.text, command.line, command.language) for command in commands(section)] == [
            ("git log --oneline | head -1", 56, "console"),
            ("docker run \\\n  --rm shop", 58, "console"),
            ("systemctl restart shop", 61, "console"),
            ("systemctl status shop", 63, "console"),
            ("Get-Service shop |\n  Restart-Service", 65, "powershell"),
        ]
        assert [step.title for step in section.steps] == ["Rollback", "Look again"]

    def test_powershell_unlabelled_data_and_root(self, wild: Runbook) -> None:
        section = find_section(wild, "2. Database / Rollback")
        assert outline(section) == [
            ("manual", "Call primary: Ada (+1-555-0199)", 0),
            ("command", "Restart", 2),
            ("decision", "Deploy the fix if needed", 0),
            ("command", "Rollback", 1),
            ("command", "Rollback", 1),
        ]
        pipe, branch, unlabelled, root = commands(section)
        assert (pipe.text, pipe.language) == ("Get-Service shop | `\n    Restart-Service", "powershell")
        assert branch.text.count("\n") == 4
        assert (unlabelled.text, unlabelled.language, unlabelled.note) == ("./restore.sh latest", "", "newest archive")
        assert root.text == "apt-get install -y postgresql-client"
        assert wild.fences == 9


class TestPeople:
    @pytest.mark.parametrize(
        "line",
        [
            "- Update the status page",
            "1. **Call** the on-call lead",
            "* [x] Send an e-mail to all customers",
            "Coordinate with external auditors.",
            "- Then notify the security team",
            "- Security: call the hotline",
        ],
    )
    def test_an_order_is_a_manual_step(self, line: str) -> None:
        assert [step.kind for step in section_of(line).steps] == [StepKind.MANUAL]

    @pytest.mark.parametrize(
        "line",
        [
            "1. **Primary**: Joeri (+1-555-0123) - Development Lead",
            "- **Email**: operations@example.com",
            "- Call tree: see the wiki",
            "- Page is broken? See above.",
            "When the site is down, users see an error page.",
            "*This runbook is kept beside the other one*",
            "Note: call nobody.",
            "- Never restart the database",
        ],
    )
    def test_what_asks_for_nothing_is_no_step(self, line: str) -> None:
        assert section_of(line).steps == ()

    def test_a_list_below_its_introduction_is_the_steps(self) -> None:
        assert [step.title for step in section_of("Notify these people:\n\n- Call Ada\n- Call Bob").steps] == [
            "Call Ada",
            "Call Bob",
        ]

    def test_a_decision_without_commands(self) -> None:
        section = section_of("- If service is not restored, call Bob")
        assert outline(section) == [("decision", "If service is not restored, call Bob", 0)]

    def test_an_order_above_a_message_to_send_stays_an_order(self) -> None:
        assert outline(section_of("Send this message:\n\n```text\nhello\n```")) == [("manual", "Send this message", 0)]

    def test_an_order_above_commands_names_them(self) -> None:
        assert outline(section_of("```sh\n# Update frontend configuration\nnode x.js\n```")) == [
            ("command", "Update frontend configuration", 1)
        ]

    def test_an_act_on_people_above_commands_is_a_step_of_its_own(self) -> None:
        assert outline(section_of("```sh\n# Step 1: Stop it\n# Call Ada (+1-555-0199)\nstop\n```")) == [
            ("manual", "Call Ada (+1-555-0199)", 0),
            ("command", "Stop it", 1),
        ]


class TestErrors:
    def test_a_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"nowhere\.md: cannot read the runbook: No such file"):
            parse(tmp_path / "nowhere.md")

    def test_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="Is a directory"):
            parse(tmp_path)

    def test_a_file_that_is_not_utf8_names_the_line(self, tmp_path: Path) -> None:
        path = tmp_path / "latin.md"
        path.write_bytes(b"# A\n\ncaf\xe9\n")
        with pytest.raises(UsageError, match=r"latin\.md:3: the runbook is not UTF-8: byte 0xe9"):
            parse(path)

    def test_windows_line_ends_and_a_byte_order_mark(self, tmp_path: Path) -> None:
        path = tmp_path / "windows.md"
        path.write_bytes("\ufeff# A\r\n\r\n```sh\r\nls \\\r\n  -l\r\n```\r\n".encode())
        runbook = parse(path)
        assert [(command.text, command.line) for command in runbook.commands] == [("ls \\\n  -l", 4)]
        assert runbook.title == "A"
