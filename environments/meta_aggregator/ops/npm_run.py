"""The scripts of package.json that `npm run NAME` starts: build and deploy. Exit 1, in npm's words, for any other name."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


def _build() -> int:
    from ops.release_artifact import PARTS, ReleaseError, build

    try:
        release = build(Path.cwd())
    except ReleaseError as error:
        print(f"build: FAILED: {error}", file=sys.stderr)
        return 1
    for name in PARTS:
        print(f"{name}: dist/{release.parts[name].file}, SHA-256 {release.parts[name].sha256}")
    print(f"release {release.name} built")
    return 0


def _deploy(target: str, parts: Sequence[str] = ()) -> int:
    from ops.deploy import PRODUCTION, STAGING, deploy_release
    from ops.release_artifact import PARTS

    return deploy_release(STAGING if target == "staging" else PRODUCTION, tuple(parts) or PARTS)


SCRIPTS: Mapping[str, Callable[[], int]] = {
    "build": _build,
    "deploy:staging": lambda: _deploy("staging"),
    "deploy:production": lambda: _deploy("production"),
    "deploy:contracts": lambda: _deploy("production", ["contracts"]),
    "deploy:backend": lambda: _deploy("production", ["backend"]),
    "deploy:frontend": lambda: _deploy("production", ["frontend"]),
}


def main(arguments: Sequence[str]) -> int:
    """Run a script by its name; give its exit code."""
    name = arguments[0] if arguments else ""
    if name not in SCRIPTS:
        print(f'npm error Missing script: "{name}"', file=sys.stderr)
        return 1
    return SCRIPTS[name]()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
