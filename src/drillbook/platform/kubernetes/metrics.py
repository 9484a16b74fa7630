"""What `kubectl top` shows: memory now and mean CPU since the start, both read from /proc (proc_pid_stat(5))."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from drillbook.clock import SYSTEM_CLOCK, rfc3339
from drillbook.platform.instance import Instance

PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")


def pod_metrics(name: str, namespace: str, container: str, instance: Instance) -> dict[str, Any] | None:
    """Give a PodMetrics object, None when the process is gone."""
    try:
        fields = Path(f"/proc/{instance.pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    seconds = max(1.0, (SYSTEM_CLOCK.wall() - instance.created).total_seconds())
    cpu = (int(fields[11]) + int(fields[12])) / TICKS / seconds
    memory = int(fields[21]) * PAGE // 1024
    usage = {"cpu": f"{round(cpu * 1000)}m", "memory": f"{memory}Ki"}
    return {
        "metadata": {"name": name, "namespace": namespace},
        "timestamp": rfc3339(SYSTEM_CLOCK.wall()),
        "window": f"{round(seconds)}s",
        "containers": [{"name": container, "usage": usage}],
    }
