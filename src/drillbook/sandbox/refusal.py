"""Say why this machine refuses a sandbox, and what mends it: three different causes give the same EPERM."""

from __future__ import annotations

import errno
import sys
from pathlib import Path

from drillbook.errors import SandboxRefused

_ELSEWHERE = "or use a Linux machine, or the docker backend where there is one"


def refuse_other_systems(platform: str = sys.platform) -> None:
    """Refuse at once where there are no Linux namespaces at all."""
    if platform != "linux":
        raise SandboxRefused(
            f"the embedded backend needs Linux namespaces; this system is {platform}",
            mend="run Drillbook in a Linux virtual machine, or with Docker: --backend docker",
        )


def explain(code: int, call: str, root: Path = Path("/")) -> SandboxRefused:
    """Turn a failed kernel call into its cause and its mend, from what `root` (the machine's /) says of itself."""
    for cause, mend in _causes(code, call, root):
        return SandboxRefused(f"{cause} ({call}: {errno.errorcode.get(code, code)})", mend=mend)
    return SandboxRefused(
        f"the kernel refused a sandbox: {call} gave {errno.errorcode.get(code, code)}",
        mend=f"`drillbook doctor` shows what this machine allows; {_ELSEWHERE}",
    )


def _causes(code: int, call: str, root: Path) -> list[tuple[str, str]]:
    found = []
    if code in (errno.ENOSPC, errno.EUSERS) or _sysctl(root, "user/max_user_namespaces") == "0":
        found.append(("user namespaces are switched off", "sudo sysctl -w user.max_user_namespaces=15000"))
    if _sysctl(root, "kernel/unprivileged_userns_clone") == "0":
        found.append(("the kernel keeps user namespaces for root", "sudo sysctl -w kernel.unprivileged_userns_clone=1"))
    if code == errno.ENOSYS or "mount_setattr" in call:
        found.append(("the kernel is older than 5.12", f"upgrade the kernel; {_ELSEWHERE}"))
    if code not in (errno.EPERM, errno.EACCES):
        return found
    if _in_container(root):
        found.append(
            (
                "this is a container whose profile forbids namespaces",
                "docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined"
                " --security-opt systempaths=unconfined …",
            )
        )
    if _sysctl(root, "kernel/apparmor_restrict_unprivileged_userns") == "1":
        found.append(
            (
                "AppArmor restricts user namespaces",
                "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
            )
        )
    return found


def _sysctl(root: Path, name: str) -> str:
    path = root / "proc/sys" / name
    return path.read_text().strip() if path.is_file() else ""


def _in_container(root: Path) -> bool:
    marked = (root / ".dockerenv").exists() or (root / "run/.containerenv").exists()
    status = root / "proc/self/status"
    return marked or (status.is_file() and "Seccomp:\t2" in status.read_text())
