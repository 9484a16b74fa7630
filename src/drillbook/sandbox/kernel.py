"""Fork into a sandbox, so that the kernel itself takes everything away when the run ends, however it ends.

    launcher            stays outside, forwards signals, gives the exit code
      └─ boundary       has left the machine's namespaces, but not its pid namespace
           └─ init      pid 1 inside: lays the mounts, reaps orphans; when it dies the kernel kills all below
                └─ harness   returns from `enter` and does the work, without privileges

Each asks for SIGKILL on its parent's death, so kill -9 of any of them ends all that are below it, and the tmpfs, the ports
and the mounts go with the last process. Only a fork can do this: after `unshare(CLONE_NEWPID)` a process can start no thread.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from drillbook.sandbox import syscalls
from drillbook.sandbox.layout import DATA, MARKER, Layout
from drillbook.sandbox.mounts import lay
from drillbook.sandbox.refusal import explain, refuse_other_systems
from drillbook.sandbox.variables import inner_variables
from drillbook.sandbox.view import View

INNER_ID = 1000
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_NAMESPACES = (
    syscalls.CLONE_NEWUSER
    | syscalls.CLONE_NEWNET
    | syscalls.CLONE_NEWNS
    | syscalls.CLONE_NEWPID
    | syscalls.CLONE_NEWIPC
)


def enter(view: View, *, interactive: bool = False, on_ready: Callable[[int], None] | None = None) -> int | None:
    """Fork into a new sandbox. Give None in the harness, inside; the harness's exit code in the launcher, outside.

    `interactive` leaves the harness in the terminal's foreground, for a shell; otherwise it gets a session of its own and
    signals come through the launcher, once each. `on_ready` is called in the launcher with the pid of the sandbox's init.
    Raises SandboxRefused, in the launcher, where the machine does not allow it.
    """
    refuse_other_systems()
    sys.stdout.flush()
    sys.stderr.flush()
    launcher, (outcome, report) = os.getpid(), os.pipe()
    # Held back until each process knows whom to pass them to: one that came earlier would end the sandbox as if it were refused.
    signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED)
    boundary = os.fork()
    if boundary == 0:
        os.close(outcome)
        _cross(launcher, view, report, interactive)
        return None
    os.close(report)
    with _forwarding_to(boundary, interactive):
        ready = _read_report(outcome)
        if "pid" not in ready:
            os.waitpid(boundary, 0)
            raise explain(int(ready.get("errno", 0)), str(ready.get("call", "the sandbox's first process died")))
        if on_ready:
            on_ready(int(ready["pid"]))
        return _exit_code(boundary)


def join(init: int, argv: Sequence[str], *, cwd: Path) -> int:
    """Run a program in the sandbox whose init has this pid (as seen from here), with that sandbox's own variables."""
    namespaces = [os.open(f"/proc/{init}/ns/{kind}", os.O_RDONLY) for kind in ("user", "ipc", "net", "pid", "mnt")]
    child = os.fork()
    if child == 0:
        try:
            for descriptor in namespaces:
                syscalls.setns(descriptor)
            grandchild = os.fork()  # the first process that is in the pid namespace
            if grandchild == 0:
                variables = json.loads(Layout().variables.read_text())
                os.chdir(cwd)
                syscalls.drop_privileges()
                os.execvpe(argv[0], list(argv), variables)
            _leave_terminal_signals_to(grandchild)
        except OSError as error:
            print(f"drillbook: cannot join the sandbox of process {init}: {error}", file=sys.stderr)
        os._exit(126)
    for descriptor in namespaces:
        os.close(descriptor)
    with _forwarding_to(child, interactive=True):
        return _exit_code(child)


def _cross(launcher: int, view: View, report: int, interactive: bool) -> None:
    """Become boundary, then init, then harness; only the harness returns."""
    uid, gid = os.getuid(), os.getgid()
    if not interactive:
        os.setsid()  # a terminal's Ctrl-C comes through the launcher alone, and so once
    try:
        syscalls.unshare(_NAMESPACES)
        syscalls.die_with_parent(signal.SIGKILL, launcher)
        _map_ids(uid, gid)
    except OSError as error:
        _fail(report, error)
    laid, done = os.pipe()
    init = os.fork()
    if init != 0:
        os.close(done)
        failure = _read_report(laid)
        _write(report, failure or {"pid": init})
        os.close(report)
        _leave_terminal_signals_to(init)
    os.close(laid)
    os.close(report)
    _be_init(view, done)


def _be_init(view: View, done: int) -> None:
    try:
        syscalls.die_with_parent(signal.SIGKILL, 0)  # the boundary is outside our pid namespace
        if _has_no_reader(done):  # it died before we asked
            os._exit(1)
        syscalls.bring_loopback_up()
        lay(view, Layout())
    except OSError as error:
        _fail(done, error)
    os.close(done)
    harness = os.fork()
    if harness != 0:
        _reap_until(harness)
    syscalls.die_with_parent(signal.SIGKILL, 1)
    for number in _FORWARDED:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)
    syscalls.drop_privileges()
    _take_on(inner_variables(os.environ, Layout()))


def _map_ids(uid: int, gid: int) -> None:
    """Be an ordinary user inside, whoever we are outside: Postgres refuses root."""
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{INNER_ID} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{INNER_ID} {gid} 1")


def _take_on(variables: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(variables)
    os.environ[MARKER] = "1"
    if not Path.cwd().exists():
        os.chdir(DATA)


def _reap_until(harness: int) -> NoReturn:
    """Be pid 1: bury every orphan, pass signals on, end with the harness's own exit code."""
    _pass_signals_to(harness)
    while True:
        with contextlib.suppress(InterruptedError):
            pid, status = os.wait()
            if pid == harness:
                os._exit(_code(status))


def _leave_terminal_signals_to(child: int) -> NoReturn:
    _pass_signals_to(child)
    os._exit(_exit_code(child))


def _pass_signals_to(child: int) -> None:
    def forward(number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, number)

    for number in _FORWARDED:
        signal.signal(number, forward)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)


class _forwarding_to:  # noqa: N801 - reads as a phrase
    """While it holds, signals to this process go to the child; a terminal's Ctrl-C reaches an interactive one by itself."""

    def __init__(self, child: int, interactive: bool) -> None:
        self.child, self.interactive = child, interactive

    def __enter__(self) -> None:
        self.before = {number: signal.getsignal(number) for number in _FORWARDED}
        _pass_signals_to(self.child)
        if self.interactive:
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)


def _has_no_reader(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _exit_code(child: int) -> int:
    return _code(os.waitpid(child, 0)[1])


def _code(status: int) -> int:
    """Give an exit code as a shell does: 128 + n for a process that signal n ended."""
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


def _fail(report: int, error: OSError) -> NoReturn:
    _write(report, {"errno": error.errno or 0, "call": f"{error.strerror} {error.filename or ''}".strip()})
    os._exit(125)


def _write(report: int, message: Mapping[str, int | str]) -> None:
    os.write(report, json.dumps(message).encode())


def _read_report(descriptor: int) -> dict[str, int | str]:
    with os.fdopen(descriptor, "rb") as pipe:
        text = pipe.read()
    return json.loads(text) if text else {}
