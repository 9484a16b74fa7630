"""What `npm install` does for a checkout of this project, without npm and without the network.

It holds package.json against the lock file as `npm ci` does, and lays node_modules out from the lock file: a package.json
for each package, the names of the tools in node_modules/.bin, the hidden lock file. No code of these packages is fetched:
what the commands of this runbook run is the suite's own, and the tools' names here are what those commands look for.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ops.npm_project import NpmError, satisfies

TOOLS = ("hardhat", "next", "cypress")
"""Packages with a program of their own name."""
KINDS = ("dependencies", "devDependencies")


def read(file: Path) -> dict[str, Any]:
    """Read package.json or the lock file; NpmError as npm says it."""
    try:
        content: dict[str, Any] = json.loads(file.read_text())
    except FileNotFoundError:
        raise NpmError(f"code ENOENT: Could not read {file.name}: there is none in {file.parent}") from None
    except (OSError, ValueError) as error:
        raise NpmError(f"code EJSONPARSE: {file.name}: {error}") from None
    return content


def discords(manifest: Mapping[str, Any], locked: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Say where package.json and the lock file's packages disagree."""
    for kind in KINDS:
        wanted: Mapping[str, str] = manifest.get(kind, {})
        for name, wish in wanted.items():
            version = locked.get(f"node_modules/{name}", {}).get("version")
            if version is None:
                yield f"Missing: {name}@{wish} from lock file"
            elif not satisfies(str(version), wish):
                yield f"Invalid: lock file's {name}@{version} does not satisfy {name}@{wish}"
        for name in locked.get("", {}).get(kind, {}):
            if name not in wanted:
                yield f"Invalid: lock file asks for {name}, which package.json does not"


def lay_out(folder: Path, locked: Mapping[str, Mapping[str, Any]]) -> int:
    """Make node_modules as the lock file has it; give how many packages it holds."""
    modules = folder / "node_modules"
    shutil.rmtree(modules, ignore_errors=True)
    packages = {path: found for path, found in locked.items() if path}
    for path, found in packages.items():
        name = path.rpartition("node_modules/")[2]
        (folder / path).mkdir(parents=True)
        (folder / path / "package.json").write_text(json.dumps({"name": name, "version": found["version"]}))
        if name in TOOLS:
            (modules / ".bin").mkdir(exist_ok=True)
            (modules / ".bin" / name).write_text(f"{name} {found['version']}\n")
    (modules / ".package-lock.json").write_text(json.dumps({"lockfileVersion": 3, "packages": packages}))
    return len(packages)


def main() -> int:
    """Check and lay out the project of the current folder; 1 with npm's words if that cannot be."""
    folder = Path.cwd()
    try:
        manifest, lock = read(folder / "package.json"), read(folder / "package-lock.json")
        locked = lock.get("packages", {})
        wrong = list(discords(manifest, locked))
        if wrong:
            raise NpmError("code EUSAGE: package.json and package-lock.json are not in sync: " + "; ".join(wrong))
        count = lay_out(folder, locked)
    except NpmError as error:
        print(f"npm error {error}", file=sys.stderr)
        return 1
    print(f"{count} packages laid out as package-lock.json has them; nothing was fetched")
    return 0


if __name__ == "__main__":
    sys.exit(main())
