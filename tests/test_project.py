"""The two commands on a fresh clone: everything is pinned, what a machine lacks is named, and make says what it would do."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK = [line for line in (ROOT / "requirements.lock").read_text().splitlines() if not line.startswith("#")]
PINNED = {canonicalize_name(name): Version(version) for name, _, version in (line.partition("==") for line in LOCK)}
REQUIREMENTS = [
    *PROJECT["build-system"]["requires"],
    *PROJECT["project"]["dependencies"],
    *(text for texts in PROJECT["project"]["optional-dependencies"].values() for text in texts),
]


@pytest.mark.parametrize("text", REQUIREMENTS)
def test_every_requirement_is_pinned_and_the_pin_satisfies_it(text: str) -> None:
    required = Requirement(text)
    assert PINNED[canonicalize_name(required.name)] in required.specifier


def test_the_lock_holds_nothing_but_exact_pins() -> None:
    assert [line for line in LOCK if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line)] == []


def test_make_tells_of_every_target() -> None:
    told = _make("help").stdout
    targets = re.findall(r"(?m)^([a-z]+):.*##", (ROOT / "Makefile").read_text())
    assert {"drill", "test", "bench", "lock", "clean", "help"} <= set(targets)
    assert [target for target in targets if f"make {target}" not in told] == []
    assert _make().stdout == told


def test_make_drill_would_install_once_and_run_the_suite() -> None:
    told = _make("-n", "drill", "VENV=not-there").stdout.splitlines()
    assert told[0].endswith(".ci/make-venv not-there")
    assert told[-1] == "not-there/bin/python -m drillbook run --tags @smoke"


def test_a_machine_without_a_new_python_is_told_so(tmp_path: Path) -> None:
    done = _make("drill", f"VENV={tmp_path / 'venv'}", "PYTHON=/bin/false")
    assert done.returncode == 2
    assert "error: there is no Python 3.11 or newer (tried: /bin/false)\n  mend: sudo apt-get install" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "venv").exists()


def test_a_python_without_venv_is_told_how_to_get_it(tmp_path: Path) -> None:
    lacking = _program(tmp_path / "python3", f'case "$2" in *ensurepip*) exit 1;; esac; exec {sys.executable} "$@"')
    done = _make("drill", f"VENV={tmp_path / 'venv'}", f"PYTHON={lacking}")
    assert done.returncode == 2
    assert f"error: {lacking} has no venv or no ensurepip\n  mend: sudo apt-get install python3-venv" in done.stderr


@pytest.mark.parametrize(("name", "said"), [("curl", "curl is missing"), ("uname", "needs Linux; this is Other")])
def test_another_machine_is_refused_in_a_sentence(tmp_path: Path, name: str, said: str) -> None:
    for program in ("sh", "make", "dirname", "cat", "uname", "curl"):
        found = shutil.which(program)
        assert found
        if program != name:
            (tmp_path / program).symlink_to(found)
    if name == "uname":
        _program(tmp_path / name, "echo Other")
    done = _make("drill", f"VENV={tmp_path / 'venv'}", PATH=str(tmp_path))
    assert done.returncode == 2
    assert said in done.stderr
    assert "mend:" in done.stderr


def test_every_script_is_sound_shell() -> None:
    for script in (ROOT / ".ci").iterdir():
        assert os.access(script, os.X_OK), script
        shell = script.read_text().partition("\n")[0].rpartition("/")[2].removeprefix("env ")
        subprocess.run([shell, "-n", script], check=True)


def _program(file: Path, text: str) -> Path:
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return file


def _make(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    make = shutil.which("make")
    assert make
    outer = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    return subprocess.run(
        [make, "--no-print-directory", *arguments],
        cwd=ROOT,
        env=outer | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
