"""The persistent shell, on a real bash with real processes."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drillbook.clock import wait_until
from drillbook.errors import Unbound, UsageError
from drillbook.responder.capture import LIMIT, Capture
from drillbook.responder.session import ShellSession, interpret
from drillbook.shims.install import BindingSpec, command_behind, install


@pytest.fixture
def session(tmp_path: Path) -> Iterator[ShellSession]:
    with ShellSession({"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"}, tmp_path) as started:
        yield started


def said(session: ShellSession, text: str, deadline: float = 10.0) -> str:
    return session.run(text, deadline).stdout.rstrip("\n")


def runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except OSError:
        return False
    return state not in (b"Z", b"X")


def gone(pid: int) -> bool:
    return bool(wait_until(lambda: not runs(pid), 2.0))


def test_a_result_keeps_code_streams_and_times_apart(session: ShellSession) -> None:
    before = time.monotonic()
    result = session.run("echo out; echo err >&2; sleep 0.2; (exit 7)")
    assert (result.exit_code, result.stdout, result.stderr) == (7, "out\n", "err\n")
    assert before <= result.started < result.finished <= time.monotonic()
    assert 0.2 <= result.duration < 5
    assert not result.timed_out
    assert result.note == ""


def test_directory_variables_functions_and_status_carry_over(session: ShellSession, tmp_path: Path) -> None:
    session.run('mkdir deep; cd deep; plain=1; export LOUD=2; say() { echo "$plain $LOUD"; }; stamp=$(date +%s)')
    assert said(session, 'pwd; say; test -n "$stamp" && echo stamped') == f"{tmp_path}/deep\n1 2\nstamped"
    session.run("(exit 5)")
    assert said(session, "echo $?") == "5"
    assert said(session, "echo $?") == "0"


def test_only_the_given_variables_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTER_SECRET", "x")
    with ShellSession({"PATH": os.environ["PATH"], "PGHOST": "db"}, tmp_path) as session:
        assert said(session, 'echo "$PGHOST ${OUTER_SECRET-none}"') == "db none"


@pytest.mark.parametrize(
    ("text", "stdout"),
    [
        ("cat <<EOF\na $((1 + 1))\n  'b'\nEOF", "a 2\n  'b'\n"),
        ("cat <<'EOF' | tr a b\n$aaa \"\nEOF\n", '$bbb "\n'),
        ("for i in 1 2; do\n  echo $i\ndone", "1\n2\n"),
        ("echo one \\\n  two", "one two\n"),
        ("echo 'it'\"'\"'s' \"\\$HOME\" # note", "it's $HOME\n"),
        ("cat; echo read nothing", "read nothing\n"),
        ("-n; echo after", "after\n"),
        ("", ""),
    ],
)
def test_shell_grammar_is_kept(session: ShellSession, text: str, stdout: str) -> None:
    assert session.run(text).stdout == stdout


@pytest.mark.parametrize(
    "text", ["if true", "echo 'open", 'echo "open', "fi", "echo $(", "{", ")", "case x in", "f() {"]
)
def test_a_syntax_error_is_its_own_commands_and_swallows_nothing(session: ShellSession, text: str) -> None:
    result = session.run(text)
    assert result.exit_code == 2
    assert "syntax error" in result.note or "unexpected EOF" in result.note
    assert session.run("echo next").stdout == "next\n"


@pytest.mark.parametrize("text", ["a\0b", "echo \ud800"])
def test_what_no_shell_can_be_given_is_a_syntax_error(session: ShellSession, text: str) -> None:
    result = session.run(text)
    assert result.exit_code == 2
    assert "cannot hold" in result.note


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("exit 3", 3),
        ("set -e; false", 1),
        ("set -u; echo $nowhere", 1),
        ("exec sh -c 'exit 6'", 6),
        ("kill -9 $$", 137),
        ("set -o posix; eval fi", 2),
    ],
)
def test_a_command_that_ends_the_shell_is_told_and_the_session_goes_on(
    session: ShellSession, tmp_path: Path, text: str, code: int
) -> None:
    session.run("mkdir sub; cd sub; plain=kept; export LOUD='a b'; f() { echo fun; }; shopt -s extglob")
    result = session.run(text)
    assert result.exit_code == code
    assert f"ended the shell with {code}" in result.note
    assert f"{tmp_path}/sub" in result.note
    assert said(session, "echo $?; pwd; echo $plain; sh -c 'echo $LOUD'; f; shopt extglob") == "\n".join(
        [str(code), f"{tmp_path}/sub", "kept", "a b", "fun", "extglob        \ton"]
    )


def test_what_the_ending_command_set_is_kept_too(session: ShellSession) -> None:
    session.run("set -e; mkdir late; cd late; archive=x.dump; false")
    assert said(session, "echo $archive ${PWD##*/} $-").startswith("x.dump late h")


def test_set_e_set_earlier_ends_a_later_command_only(session: ShellSession) -> None:
    session.run("set -euo pipefail")
    assert session.run("true && echo fine").stdout == "fine\n"
    result = session.run("echo before; false; echo after")
    assert (result.exit_code, result.stdout) == (1, "before\n")
    assert "ended the shell" in result.note


def test_options_that_would_disturb_the_protocol_do_not(session: ShellSession) -> None:
    session.run("trap 'echo debug' DEBUG; trap 'echo err' ERR; set -xCf; IFS=,; cd() { false; }; eval() { false; }")
    result = session.run("echo still; (exit 4)")
    assert result.exit_code == 4
    assert "still\n" in result.stdout
    session.run("exit 1")
    assert "back" in session.run("echo back").stdout


def test_a_hanging_command_is_killed_with_its_whole_group(session: ShellSession) -> None:
    session.run("cd /; plain=kept")
    result = session.run("sleep 300 & echo $!; (sleep 301 & echo $!; sleep 302) | cat; echo never", 0.5)
    assert result.timed_out
    assert result.exit_code is None
    assert "deadline of 0.5 s" in result.note
    assert "never" not in result.stdout
    pids = [int(line) for line in result.stdout.split()]
    assert len(pids) == 2
    assert all(gone(pid) for pid in pids)
    assert 0.5 <= result.duration < 2.5
    assert said(session, "echo $? $PWD $plain") == "124 / kept"


def test_what_ignores_sigterm_is_killed_a_second_later(session: ShellSession) -> None:
    result = session.run("trap '' TERM; sh -c 'trap \"\" TERM; echo $$; while :; do sleep 0.1; done'", 0.3)
    assert result.timed_out
    assert 1.2 <= result.duration < 4
    assert gone(int(result.stdout))


def test_a_hanging_child_that_left_its_group_is_killed_at_the_deadline(session: ShellSession) -> None:
    result = session.run("setsid sh -c 'echo $$; exec sleep 300' & sleep 300", 0.5)
    assert gone(int(result.stdout))


def test_a_loop_of_builtins_is_killed(session: ShellSession) -> None:
    assert session.run("while :; do :; done", 0.3).timed_out
    assert said(session, "echo ok") == "ok"


def test_a_shell_that_went_deaf_is_replaced(session: ShellSession) -> None:
    assert session.run("set -n", 0.3).timed_out
    assert said(session, "echo ok") == "ok"


def test_background_jobs_live_on_and_end_with_the_session(tmp_path: Path) -> None:
    with ShellSession({"PATH": os.environ["PATH"]}, tmp_path) as session:
        job = int(said(session, "sleep 300 & echo $!"))
        daemon = int(
            said(session, "setsid -f sh -c 'echo $$ > pid; exec sleep 301'; until test -s pid; do :; done; cat pid")
        )
        nameless = int(said(session, "env -i /bin/sh -c 'sleep 302 >/dev/null & echo $!'"))
        assert session.run("sleep 300", 0.2).timed_out
        session.run("exit 1")
        assert all(runs(pid) for pid in (job, daemon, nameless))
    assert not any(runs(pid) for pid in (job, daemon, nameless))


def test_jobs_are_the_shells_own(session: ShellSession) -> None:
    session.run("(sleep 0.1; exit 9) & job=$!")
    assert session.run("wait $job").exit_code == 9


def test_what_runs_in_the_background_is_known_by_its_command_until_it_is_stopped(session: ShellSession) -> None:
    assert session.still_running() == ()
    session.run("sleep 61 & first=$!")
    session.run("setsid sleep 62 & second=$!; true")
    assert wait_until(lambda: session.still_running() == ("sleep 61", "sleep 62"), 2.0)
    session.run('kill "$first"')
    assert wait_until(lambda: session.still_running() == ("sleep 62",), 2.0)
    session.run('kill "$second"')
    assert wait_until(lambda: session.still_running() == (), 2.0)


def test_a_bound_command_in_the_background_is_told_as_the_runbook_wrote_it(tmp_path: Path) -> None:
    shims, modules = tmp_path / "shims", tmp_path / "modules"
    modules.mkdir()
    (modules / "serve_for_long.py").write_text("import time\ntime.sleep(60)\n")
    binding = [BindingSpec("npm run dev", "serve_for_long")]
    install(shims, binding, Path(sys.executable), os.environ["PATH"], module_path=[modules])
    with ShellSession({"PATH": f"{shims}:{os.environ['PATH']}"}, tmp_path) as session:
        # Without a fork server the shim becomes the module, and is told by what it then is.
        session.run("npm run dev & dev=$!")
        wanted = (("npm run dev",), (f"{sys.executable} -P -m serve_for_long",))
        assert wait_until(lambda: session.still_running() in wanted, 2.0), session.still_running()
        session.run('kill "$dev"')
        assert wait_until(lambda: session.still_running() == (), 2.0)


def test_a_shims_process_stands_for_the_command_that_it_was_called_with() -> None:
    shim = ("python", "-I", "-S", "-c", "…", "/src", "/shims/.bindings.json", "npx", "hardhat", "node")
    assert command_behind(shim) == ("npx", "hardhat", "node")
    assert command_behind(("sleep", "5")) == ("sleep", "5")


def test_a_chatty_background_job_neither_blocks_nor_holds_a_command(session: ShellSession) -> None:
    session.run("(for i in $(seq 20000); do echo line-of-output; done; touch done) &")
    assert wait_until(lambda: session.run("test -e done").exit_code == 0, 10.0, interval=0.1)


def test_ten_megabytes_are_bounded(session: ShellSession) -> None:
    result = session.run("echo first; head -c 10000000 /dev/zero | tr '\\0' x; echo; echo last")
    assert result.exit_code == 0
    assert result.stdout.startswith("first\n")
    assert result.stdout.endswith("\nlast\n")
    cut = 10_000_000 + len("first\n\nlast\n") - 2 * LIMIT
    assert f"\n[drillbook: {cut} bytes cut]\n" in result.stdout
    assert len(result.stdout) < 2 * LIMIT + 100


def test_output_just_within_the_bounds_is_whole(session: ShellSession) -> None:
    assert len(session.run(f"head -c {2 * LIMIT} /dev/zero | tr '\\0' y").stdout) == 2 * LIMIT
    assert "[drillbook: 1 bytes cut]" in session.run(f"head -c {2 * LIMIT + 1} /dev/zero | tr '\\0' y").stdout


def test_bytes_that_are_no_text_are_shown(session: ShellSession) -> None:
    assert session.run(r"printf '\377ok'").stdout == "\ufffdok"


@pytest.mark.parametrize(
    ("text", "named"),
    [("no-such-program --flag", "no-such-program --flag"), ("no-such-program 'a b' || true", r"no-such-program a\ b")],
)
def test_a_program_that_does_not_exist_is_named_though_its_code_is_swallowed(
    session: ShellSession, text: str, named: str
) -> None:
    assert session.run(text).unbound == (named,)
    assert session.run("true").unbound == ()


def test_a_shell_killed_between_commands_is_told(session: ShellSession) -> None:
    pid = int(said(session, "plain=kept; echo $$"))
    os.kill(pid, 9)
    assert gone(pid)
    result = session.run("echo $plain")
    assert result.stdout == "kept\n"
    assert "had ended" in result.note


def test_a_removed_directory_does_not_end_the_session(session: ShellSession, tmp_path: Path) -> None:
    session.run("mkdir lost; cd lost; rmdir ../lost")
    session.run("exit 1")
    assert said(session, "pwd -P; echo ok") == f"{tmp_path}\nok"


def test_the_deadline_holds_from_another_thread(session: ShellSession) -> None:
    results: list[bool] = []
    other = threading.Thread(target=lambda: results.append(session.run("sleep 300", 0.3).timed_out))
    other.start()
    other.join(10)
    assert results == [True]


def test_an_interrupt_kills_what_runs_and_leaves_a_usable_session(session: ShellSession, tmp_path: Path) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.4)
        with pytest.raises(KeyboardInterrupt):
            session.run("echo $$ > shell; sleep 300 & echo $! > job; wait", 20.0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert all(gone(int((tmp_path / name).read_text())) for name in ("shell", "job"))
    assert said(session, "echo ok") == "ok"


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    descriptors, threads = len(os.listdir("/proc/self/fd")), threading.active_count()  # noqa: PTH208
    with ShellSession({"PATH": os.environ["PATH"]}, tmp_path) as session:
        for text in ("echo a", "exit 1", "sleep 300 &", "echo b"):
            session.run(text)
    assert not list(scratch.iterdir())
    assert (len(os.listdir("/proc/self/fd")), threading.active_count()) == (descriptors, threads)  # noqa: PTH208


@pytest.mark.parametrize("language", ["", "bash", "sh", "shell", "console"])
def test_shells_are_bash(language: str) -> None:
    assert interpret(language, "echo x", os.defpath) == "echo x"


def test_powershell_needs_pwsh(session: ShellSession, tmp_path: Path) -> None:
    with pytest.raises(Unbound, match="pwsh"):
        interpret("powershell", "Get-Date", str(tmp_path))
    pwsh = tmp_path / "pwsh"
    pwsh.write_text('#!/bin/sh\nfor last; do :; done; printf %s "$last"\n')
    pwsh.chmod(0o755)
    script = interpret("ps1", "Write-Host 'it''s'", str(tmp_path))
    assert session.run(f"PATH=$PATH:{tmp_path}\n{script}").stdout == "Write-Host 'it''s'"


def test_another_language_is_named(session: ShellSession) -> None:
    with pytest.raises(Unbound, match="'ruby'"):
        session.run("puts 1", language="ruby")


PIECES = [
    "'",
    '"',
    "`",
    "$(",
    ")",
    "{",
    "}",
    "((",
    "<<E\n",
    "E\n",
    "\n",
    ";",
    "&",
    "|",
    "\\",
    "#",
    "if ",
    "fi",
    "do ",
    "done ",
]
PIECES += [
    "break",
    "return",
    "exit 3",
    "set -e",
    "false",
    "echo x",
    "trap : EXIT",
    "exec ",
    "function ",
    "[[ ",
    "$",
    "!",
    "* ",
]
HARMLESS = st.text(alphabet=st.characters(exclude_characters="/<>~"), max_size=12)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.lists(st.sampled_from(PIECES) | HARMLESS, max_size=8).map("".join))
def test_no_text_breaks_the_session(session: ShellSession, text: str) -> None:
    session.run(text, 0.5)
    result = session.run("set +exunv; trap - DEBUG ERR; echo ok", 5.0)
    if result.exit_code is None:
        # `set -n` makes a shell deaf for what follows: the one thing that only a deadline can find out.
        result = session.run("echo ok", 5.0)
    assert result.exit_code == 0
    assert result.stdout == "ok\n"


def test_bash_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs bash"):
        ShellSession({"PATH": str(tmp_path)}, tmp_path)


def test_output_is_sealed_while_another_thread_reads_it(tmp_path: Path) -> None:
    """Both count and read under one lock: a seal that counted bytes which the reader then took waited for ever."""
    stopping = threading.Event()
    for number in range(300):
        capture = Capture(tmp_path / f"{number}.out")
        writer = os.open(capture.path, os.O_WRONLY)
        reader = threading.Thread(target=_drain, args=(capture, stopping))
        reader.start()
        os.write(writer, b"x" * 30_000)
        sealed = threading.Thread(target=capture.seal, daemon=True)
        sealed.start()
        sealed.join(5)
        assert not sealed.is_alive(), "seal never returned"
        stopping.set()
        reader.join(5)
        stopping.clear()
        os.close(writer)
        assert len(capture.text()) == 30_000
        capture.close()


def _drain(capture: Capture, stopping: threading.Event) -> None:
    while not stopping.is_set():
        capture.drain()
