"""What of the outer environment enters a sandbox: an allow-list, so that no token or key comes in by being forgotten."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from drillbook.sandbox.layout import Layout

_ALLOWED = frozenset(
    (
        *("PATH", "SHELL", "TERM", "COLORTERM", "COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR"),
        *("LANG", "LANGUAGE", "TZ", "CI"),
        *("PYTHONDONTWRITEBYTECODE", "PYTHONHASHSEED", "PYTEST_ADDOPTS", "COVERAGE_PROCESS_START"),
        *("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_XDIST_TESTRUNUID"),
    )
)
_ALLOWED_PREFIXES = ("LC_", "DRILLBOOK_")
_ADMITTED = "DRILLBOOK_ADMITTED"


def admit(names: Iterable[str]) -> None:
    """Let these variables of this process into the sandboxes that it will enter: secrets that a topology names."""
    os.environ[_ADMITTED] = ",".join(names)


def inner_variables(outer: Mapping[str, str], layout: Layout) -> dict[str, str]:
    """Give the environment of a sandbox: the allowed variables, a home of its own, and the throw-away CA for every tool."""
    allowed = _ALLOWED | set(outer.get(_ADMITTED, "").split(","))
    kept = {name: value for name, value in outer.items() if name in allowed or name.startswith(_ALLOWED_PREFIXES)}
    return (
        kept | {"HOME": str(layout.home), "TMPDIR": "/tmp", "USER": "drillbook", "LOGNAME": "drillbook"} | trust(layout)
    )


def trust(layout: Layout) -> dict[str, str]:
    """Give the variables by which tools find the sandbox's CA: OpenSSL, Python, curl, Node, git, libpq, AWS."""
    names = (
        "SSL_CERT_FILE REQUESTS_CA_BUNDLE CURL_CA_BUNDLE NODE_EXTRA_CA_CERTS GIT_SSL_CAINFO PGSSLROOTCERT AWS_CA_BUNDLE"
        " PIP_CERT NPM_CONFIG_CAFILE"
    )
    return dict.fromkeys(names.split(), str(layout.authority))


def real_programs(path: str, shims: Path) -> str:
    """Give PATH without the shims' folder: where the real programs are."""
    return ":".join(entry for entry in path.split(":") if entry and Path(entry) != shims)
