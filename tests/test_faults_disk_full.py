"""A full disk in a real sandbox: ENOSPC for whoever writes there and for nobody else, until it is healed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from drillbook.errors import UnsupportedFault
from drillbook.faults.disk_full import DiskFull
from tests.parts_environment import PartsEnvironment
from tests.running import REPOSITORY

_PROGRAM = """
import errno, json, subprocess, sys
from pathlib import Path
from types import SimpleNamespace
from drillbook.faults.disk_full import DiskFull
from drillbook.sandbox import Layout, View, enter
code = enter(View.of_this_process(shown=[Path.cwd()]))
if code is not None:
    sys.exit(code)
layout = Layout()
environment = SimpleNamespace(workspace=layout.workspace, backups=layout.backups)
def write(file, size=1):
    try:
        with file.open("ab") as target:
            target.write(b"x" * size)
    except OSError as error:
        return errno.errorcode[error.errno]
    return "written"
def shell(command):
    return subprocess.run(["sh", "-c", command], cwd=layout.workspace, capture_output=True, text=True).returncode
kept = layout.workspace / "kept"
seen = {"before": [write(kept), write(layout.backups / "kept")]}
active = DiskFull("workspace").inject(environment)
seen["full"] = [write(kept, 5000), write(layout.workspace / "new"), write(layout.backups / "other", 5000)]
seen["another process"] = shell("head -c 5000 /dev/zero > copy")
seen["kept"] = kept.read_bytes()[:1].decode()
active.heal()
seen["healed"] = [write(kept, 5000), shell("head -c 5000 /dev/zero > copy")]
active.heal()
seen["left"] = sorted(path.name for path in layout.workspace.iterdir())
json.dump(seen, sys.stdout)
"""


def test_a_full_disk_takes_nothing_more_and_is_itself_again_when_healed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["before"] == ["written", "written"]
    assert seen["full"] == ["ENOSPC", "ENOSPC", "written"], "the workspace is full, the backups are not"
    assert seen["another process"] != 0
    assert seen["kept"] == "x"
    assert seen["healed"] == ["written", 0]
    assert seen["left"] == ["copy", "kept", "new"]


def test_a_folder_that_shares_its_disk_is_not_filled(tmp_path: Path) -> None:
    environment = PartsEnvironment(variables={})
    environment.workspace = tmp_path / "workspace"
    environment.workspace.mkdir()
    with pytest.raises(UnsupportedFault, match="no disk of its own"):
        DiskFull("workspace").inject(environment)
    assert list(environment.workspace.iterdir()) == []
    with pytest.raises(UnsupportedFault, match="no folder 'elsewhere'"):
        DiskFull("elsewhere").inject(environment)
