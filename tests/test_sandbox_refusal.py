"""Why a machine refuses a sandbox: each cause as that machine's own files tell it, each with its mend."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from pathlib import Path

import pytest

from drillbook.errors import SandboxRefused
from drillbook.sandbox.refusal import explain, refuse_other_systems


def _machine(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


SYSCTL = "proc/sys/"
OFF = {SYSCTL + "user/max_user_namespaces": "0\n"}
DEBIAN = {SYSCTL + "kernel/unprivileged_userns_clone": "0\n"}
APPARMOR = {SYSCTL + "kernel/apparmor_restrict_unprivileged_userns": "1\n"}
ALLOWED = {SYSCTL + "user/max_user_namespaces": "31000\n", SYSCTL + "kernel/unprivileged_userns_clone": "1\n"}


@pytest.mark.parametrize(
    ("files", "code", "call", "cause", "mend"),
    [
        (OFF, errno.ENOSPC, "unshare", "switched off", "sudo sysctl -w user.max_user_namespaces=15000"),
        (OFF, errno.EPERM, "unshare", "switched off", "user.max_user_namespaces=15000"),
        ({}, errno.EUSERS, "unshare", "switched off", "user.max_user_namespaces"),
        (DEBIAN, errno.EPERM, "unshare", "for root", "sudo sysctl -w kernel.unprivileged_userns_clone=1"),
        (APPARMOR, errno.EPERM, "unshare", "AppArmor", "kernel.apparmor_restrict_unprivileged_userns=0"),
        (APPARMOR, errno.EACCES, "mount", "AppArmor", "kernel.apparmor_restrict_unprivileged_userns=0"),
        ({".dockerenv": ""}, errno.EPERM, "unshare", "container", "--security-opt seccomp=unconfined"),
        ({"run/.containerenv": ""}, errno.EPERM, "mount", "container", "--security-opt"),
        ({"proc/self/status": "Name:\tx\nSeccomp:\t2\n"}, errno.EPERM, "unshare", "container", "docker run"),
        ({}, errno.ENOSYS, "mount_setattr on /", "older than 5.12", "upgrade the kernel"),
        (ALLOWED, errno.EPERM, "unshare", "the kernel refused a sandbox: unshare gave EPERM", "drillbook doctor"),
        ({"proc/self/status": "Seccomp:\t0\n"}, errno.EPERM, "unshare", "the kernel refused", "drillbook doctor"),
        ({}, 0, "the sandbox's first process died", "the sandbox's first process died", "drillbook doctor"),
    ],
)
def test_each_cause_is_told_with_what_mends_it(
    tmp_path: Path, files: Mapping[str, str], code: int, call: str, cause: str, mend: str
) -> None:
    refused = explain(code, call, _machine(tmp_path, files))
    assert isinstance(refused, SandboxRefused)
    assert cause in refused.message
    assert call in refused.message
    assert mend in (refused.mend or "")
    assert errno.errorcode.get(code, "0") in refused.message


@pytest.mark.parametrize("platform", ["darwin", "win32", "freebsd14"])
def test_other_systems_are_refused_at_once(platform: str) -> None:
    with pytest.raises(SandboxRefused, match=platform) as caught:
        refuse_other_systems(platform)
    assert "--backend docker" in str(caught.value)


def test_linux_is_not_refused_beforehand() -> None:
    refuse_other_systems("linux")
