"""Live progress: told by a real journal's events, from several threads, on a terminal and off one."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
import time
from pathlib import Path

from rich.console import Console

from drillbook.journal import EnvironmentPart, Record, RunFinished
from drillbook.reports.live import Live
from drillbook.verdict.model import Outcome
from tests.journals import Run, run


def _lines(file: io.StringIO) -> list[str]:
    return file.getvalue().splitlines()


def _plain() -> tuple[io.StringIO, Live]:
    file = io.StringIO()
    return file, Live(Console(file=file, width=80, force_terminal=False))


def test_off_a_terminal_there_is_one_line_for_each_event_that_matters(tmp_path: Path) -> None:
    file, live = _plain()
    with run(tmp_path, end=RunFinished(0)) as made, live:
        made.journal.listen(live)
        made.journal.write(EnvironmentPart("postgres", "starting"))
        made.journal.write(EnvironmentPart("postgres", "ready", 0.29))
        made.begin("The database link is cut " + "and comes back " * 6)
        made.command("curl https://api.metaaggregator.com/health", 0)
        made.end(Outcome.PASS)
    lines = _lines(file)
    assert "postgres ready (0.29 s)" in lines[0]
    assert [line for line in lines if "starting" in line] == []
    assert any(line.endswith("step (command): Check the API") for line in lines)
    assert any("exit 0 after 0.50 s" in line for line in lines)
    assert "PASS" in lines[-1]
    assert "14.2 + 150 of 300 s" in lines[-1]
    assert all(line[2] == ":" and line[5] == ":" for line in lines), "every line has its time"


def test_only_the_changes_of_a_probe_are_told(tmp_path: Path) -> None:
    file, live = _plain()
    with run(tmp_path) as made, live:
        made.journal.listen(live)
        made.begin("one")
        for ok in [True] * 50 + [False] * 50 + [True] * 50 + [False]:
            made.look(ok=ok, error="" if ok else "status 503")
    told = [line.partition("probe ")[2] for line in _lines(file) if "probe" in line]
    assert told == ["api bad: status 503", "api good", "api bad: status 503"]


def test_times_count_from_the_fault(tmp_path: Path) -> None:
    file, live = _plain()
    with run(tmp_path) as made, live:
        made.journal.listen(live)
        made.begin("one")
        made.clock.sleep(2.5)
        made.look(ok=False)
    assert "+2.50 s" in _lines(file)[-1]


def _on_a_terminal(made: Run) -> tuple[io.StringIO, Live]:
    file = io.StringIO()
    console = Console(file=file, width=100, height=30, force_terminal=True, _environ={"TERM": "xterm"})
    return file, Live(console, clock=made.clock)


def test_a_terminal_shows_the_clock_against_the_target_the_step_and_the_probes(tmp_path: Path) -> None:
    with run(tmp_path) as made:
        file, live = _on_a_terminal(made)
        made.journal.listen(live)
        made.begin("one")
        made.end(Outcome.PASS)
        made.begin("two")
        made.clock.sleep(7.0)
        made.look(ok=True, probe="frontend")
        made.look(ok=False)
        with live:  # draws at once, and once more at its end
            pass
    picture = file.getvalue().rpartition("two")[2]
    assert "7.0 s of 300 s since the fault" in picture
    assert "bad: api" in picture


def test_parts_that_are_still_coming_up_are_named(tmp_path: Path) -> None:
    with run(tmp_path) as made:
        file, live = _on_a_terminal(made)
        made.journal.listen(live)
        for name in ("postgres", "chain"):
            made.journal.write(EnvironmentPart(name, "starting"))
        made.journal.write(EnvironmentPart("postgres", "ready", 0.3))
        with live:
            pass
    assert "starting: chain" in file.getvalue()


def test_many_threads_may_tell_it_at_once_while_it_redraws(tmp_path: Path) -> None:
    with run(tmp_path) as made:
        file, live = _on_a_terminal(made)
        made.journal.listen(live)
        made.begin("one")

        def look(probe: str) -> None:
            for turn in range(100):
                made.look(ok=turn % 2 == 0, probe=probe)

        with live:
            threads = [threading.Thread(target=look, args=(f"p{number}",)) for number in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(20)
        assert not any(thread.is_alive() for thread in threads), "deadlock"
    assert file.getvalue().count("probe p") == 8 * 99


def test_a_look_without_a_change_is_cheap(tmp_path: Path) -> None:
    """9 probes look 180 times a second: 2,000 looks in 0.2 s of processor time leave room for the rest."""
    _, live = _plain()
    records: list[Record] = []
    with run(tmp_path) as made:
        made.begin("one")
        made.journal.listen(records.append)
        made.look(ok=True)
    begun = time.process_time()
    for _ in range(2000):
        live(records[0])
    assert time.process_time() - begun < 0.2


_GONE = """
import sys
from pathlib import Path
from rich.console import Console
from drillbook.reports.live import Live
from tests.journals import run
with run(Path(sys.argv[1])) as made:
    made.journal.listen(Live(Console(file=sys.stdout)))
    sys.stdin.read()
    made.begin("one")
    made.look(ok=False)
    sys.stderr.write("went on")
"""


def test_a_reader_that_went_away_does_not_end_the_drill(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", _GONE, str(tmp_path)]
    root = Path(__file__).parents[1]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=root
    ) as process:
        assert process.stdout
        process.stdout.close()
        process.stdout = None
        _, error = process.communicate("", timeout=20)
    assert error == "went on"
