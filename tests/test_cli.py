"""The command line: help that teaches, errors that say what to do, exit codes, a quick start."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from xml.etree import ElementTree

import pytest

from drillbook.cli.entry import COMMANDS, main
from tests.command_line import ENVIRONMENT, PROGRAM, REPOSITORY, drillbook
from tests.journals import three_drills


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented_with_an_example(name: str) -> None:
    shown = drillbook(name, "--help")
    assert shown.returncode == 0
    assert re.search(rf"Examples:\n\s+drillbook {name}", shown.stdout)
    assert COMMANDS[name] in " ".join(shown.stdout.split()), "the list of commands and the command say the same"


def test_the_help_lists_every_command_and_every_exit_code() -> None:
    shown = drillbook("--help").stdout
    for name in COMMANDS:
        assert re.search(rf"^  {name} ", shown, re.MULTILINE)
    for code in ("0 every drill passed", "1 one failed", "2 usage", "3 none failed", "130 Ctrl-C"):
        assert code in shown


def _seconds(argv: list[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(argv, check=True, capture_output=True, cwd=REPOSITORY)
    return time.perf_counter() - begun


def test_help_answers_at_once() -> None:
    """In 0.25 s beside the interpreter's own start: the best of three, for the machine may be busy."""
    interpreter = min(_seconds([sys.executable, "-c", "pass"]) for _ in range(3))
    assert min(_seconds([*PROGRAM, "--help"]) for _ in range(3)) < interpreter + 0.25


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; from drillbook.cli import main; main(['--help']); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert "click" in loaded
    assert not {"rich", "pydantic", "psycopg", "web3", "pytest", "tree_sitter", "drillbook.sandbox"} & set(loaded)


def test_the_version_is_the_package_s() -> None:
    assert re.fullmatch(r"drillbook \d+\.\d+\.\d+\n", drillbook("--version").stdout)


@pytest.mark.parametrize(("typed", "meant"), [("rnu", "run"), ("reprot", "report"), ("docter", "doctor")])
def test_an_unknown_command_suggests_the_nearest(typed: str, meant: str) -> None:
    done = drillbook(typed)
    assert done.returncode == 2
    assert f"did you mean `{meant}`?" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["frobnicate"], "`drillbook --help` lists the commands"),
        (["run", "--sede", "1"], "--seed"),
        (["run", "nowhere.feature"], "error: nowhere.feature: there is no such feature file or folder"),
        (["run", "features", "--backend", "docker"], "the docker backend is not in this version"),
        (["run", "features", "--backend", "cloud"], "embedded"),
        (["run", "features", "-n", "0"], "-n"),
        (["run", "features", "--seed", "x"], "--seed"),
        (["run", "features", "--environment", "none.yaml"], "error: none.yaml: there is no such environment file"),
        (["report", "nowhere"], "error: nowhere"),
        (["report"], "DIR"),
        (["outline", "nowhere.md"], "error: nowhere.md: cannot read the runbook"),
        (["up", "--environment", "none.yaml"], "error: none.yaml"),
        (["up", "--output", "pyproject.toml"], "pyproject.toml: cannot make it: File exists"),
        (["shell", "--environment", "none.yaml", "-c", "true"], "error: none.yaml"),
        (["toxiproxy", "--port", "70000"], "--port"),
    ],
)
def test_bad_usage_is_one_error_with_its_mend_and_exit_2(arguments: list[str], said: str) -> None:
    done = drillbook(*arguments)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "mend:" in done.stderr or "did you mean" in done.stderr.lower()
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_every_error_of_an_environment_file_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "environment.yaml"
    file.write_text("version: 1\nname: shop\nrunbok: runbook.md\nservices: {}\n")
    done = drillbook("shell", "--environment", file, "-c", "true")
    assert done.returncode == 2
    assert f"error: {file}:3" in done.stderr
    assert f"error: {file}:4" in done.stderr


def test_without_an_environment_file_it_says_where_it_looked(tmp_path: Path) -> None:
    done = drillbook("shell", "-c", "true", cwd=tmp_path)
    assert done.returncode == 2
    assert "environments/*/environment.yaml" in done.stderr


def test_several_environment_files_are_not_chosen_from(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "environments" / name).mkdir(parents=True)
        (tmp_path / "environments" / name / "environment.yaml").touch()
    done = drillbook("shell", "-c", "true", cwd=tmp_path)
    assert done.returncode == 2
    assert "environments/a/environment.yaml, environments/b/environment.yaml" in done.stderr


def test_a_run_is_not_written_over_another(tmp_path: Path) -> None:
    three_drills(tmp_path)
    before = (tmp_path / "journal.jsonl").read_bytes()
    done = drillbook("run", "features", "--output", tmp_path)
    assert (done.returncode, "holds a run already" in done.stderr) == (2, True)
    assert (tmp_path / "journal.jsonl").read_bytes() == before


def test_a_cache_that_cannot_be_made_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = drillbook("shell", "-c", "true", DRILLBOOK_CACHE=str(tmp_path / "file" / "cache"))
    assert done.returncode == 2
    assert "set DRILLBOOK_CACHE" in done.stderr


def test_the_outline_is_text_or_json() -> None:
    runbook = ENVIRONMENT.with_name("runbook.md")
    assert "target 300 s" in drillbook("outline", runbook).stdout
    assert drillbook("outline", runbook, "--format", "json").stdout.startswith('{\n  "sections": [')


def test_the_phrases_of_engine_and_suite_are_listed() -> None:
    shown = drillbook("steps", "disk", "full")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert 'When the disk of the "{folder}" is full' in shown.stdout
    suite = drillbook("steps", "base backup").stdout
    assert "steps.recovery" in suite
    assert "Given WAL is archived, beside a base backup" in suite


def test_a_report_is_made_again_and_exits_as_its_run(tmp_path: Path) -> None:
    three_drills(tmp_path)
    shown = drillbook("report", tmp_path)
    assert shown.returncode == 1
    assert "1 passed, 1 failed, 1 unknown" in shown.stdout
    assert ElementTree.fromstring(drillbook("report", tmp_path, "--format", "junit").stdout).attrib["tests"] == "3"
    assert '"exit_code": 1' in drillbook("report", tmp_path, "--format", "json").stdout


def test_a_reader_that_has_read_enough_is_no_error() -> None:
    argv = [*PROGRAM, "outline", str(ENVIRONMENT.with_name("runbook.md")), "--format", "json"]
    with subprocess.Popen(argv, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.read(1)
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(20) in (0, 141)


def test_toxiproxy_serves_until_ctrl_c() -> None:
    argv = [*PROGRAM, "toxiproxy", "--port", "0"]
    with subprocess.Popen(argv, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr
            address = process.stderr.readline().split()[-1]
            with urllib.request.urlopen(f"http://{address}/proxies", timeout=5) as answer:
                assert answer.read() == b"{}"
            process.send_signal(signal.SIGINT)
            assert process.wait(10) == 0
        finally:
            process.kill()


def test_an_interrupt_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("drillbook.runbook.parse", interrupt)
    assert main(["outline", "runbook.md"]) == 130


def test_the_doctor_tries_and_mends() -> None:
    shown = drillbook("doctor", PATH="/usr/bin:/bin")
    lines = shown.stdout.splitlines()
    found = {line.split()[1]: line.split()[0] for line in lines if line.startswith(("ok", "missing"))}
    assert {
        "python",
        "kernel",
        "namespaces",
        "postgres",
        "docker",
        "ab",
        "kubectl",
        "node",
        "anvil",
        "pwsh",
        "solc",
    } <= set(found)
    assert found["python"] == "ok"
    assert shown.stdout.count("mend:") == list(found.values()).count("missing")
    refused = "drills cannot run here" in lines[-1]
    assert shown.returncode == (2 if refused else 0)
    assert refused == any(found[name] == "missing" for name in ("kernel", "namespaces", "postgres", "bash"))


def test_the_doctor_names_a_program_that_is_missing(tmp_path: Path) -> None:
    shown = drillbook("doctor", PATH=str(tmp_path))
    assert shown.returncode == 2
    assert re.search(r"^missing +bash", shown.stdout, re.MULTILINE)
    assert "sudo apt-get install bash" in shown.stdout
    assert shown.stdout.splitlines()[-1] == "drills cannot run here: bash"


def test_loads_are_listed_and_an_unknown_one_is_refused_before_anything_starts() -> None:
    listed = drillbook("load")
    assert listed.returncode == 0
    assert "browse-and-buy: open model, constant, 25 arrivals a second" in listed.stdout
    refused = drillbook("load", "browse-and-by")
    assert refused.returncode == 2
    assert "there is no load 'browse-and-by'" in refused.stderr
    assert "one of: browse-and-buy" in refused.stderr
    broken = drillbook("load", "browse", "--baseline", __file__)
    assert broken.returncode == 2
    assert "this is no baseline" in broken.stderr
