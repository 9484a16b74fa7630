"""A twin of the npm registry as `npm audit` and `npm outdated` meet it: package documents and advisories.

It knows the packages of `project/package-lock.json`, each in the version that is locked there: nothing is outdated and nothing
is vulnerable until `PUT /twin/releases` (`{"name": …, "version": …}`) or `PUT /twin/advisories` (npm's own form, with `name`)
says so; DELETE takes all of that kind back. Paths and forms are those that npm 11 asks for; audits come gzipped.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.serving import Listener, Twin, json_object, serve

LOCK_FILE = Path(__file__).parents[1] / "project" / "package-lock.json"
AUDIT = "/-/npm/v1/security/advisories/bulk"
QUICK_AUDIT = "/-/npm/v1/security/audits/quick"
ADVISORY = ("name", "title", "severity", "vulnerable_versions")


def locked(file: Path = LOCK_FILE) -> dict[str, str]:
    """Give the version of each package in a lock file, by name."""
    packages: Mapping[str, Mapping[str, str]] = json.loads(file.read_text())["packages"]
    return {path.rpartition("node_modules/")[2]: found["version"] for path, found in packages.items() if path}


class Registry(Twin):
    """The packages, what was released beside them, and what is known against them."""

    def __init__(self) -> None:
        super().__init__()
        self.released: list[tuple[str, str]] = []
        self.advisories: list[dict[str, Any]] = []

    def versions(self, name: str) -> list[str]:
        """Give a package's versions, the newest last; KeyError for one that is not here."""
        return [locked()[name], *(version for known, version in self.released if known == name)]

    def against(self, asked: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
        """Give the advisories on the packages asked for; which version is concerned is for the caller to say."""
        return {
            name: found
            for name in asked
            if (
                found := [
                    {k: v for k, v in known.items() if k != "name"}
                    for known in self.advisories
                    if known["name"] == name
                ]
            )
        }


class Application:
    """The registry's paths."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.routes = [
            Route(AUDIT, self.audit, methods=["POST"]),
            Route(QUICK_AUDIT, self.audit_quickly, methods=["POST"]),
            Route("/twin/advisories", self.advise, methods=["GET", "PUT", "DELETE"]),
            Route("/twin/releases", self.release, methods=["GET", "PUT", "DELETE"]),
            Route("/{name:path}", self.document),
        ]

    async def document(self, request: Request) -> Response:
        """Give a package's document: its versions and which of them is the latest."""
        name = request.path_params["name"]
        try:
            versions = self.registry.versions(name)
        except KeyError:
            raise HTTPException(404, f"no package {name} here") from None
        manifests = {version: {"name": name, "version": version, "dist": {}} for version in versions}
        return JSONResponse({"name": name, "dist-tags": {"latest": versions[-1]}, "versions": manifests})

    async def audit(self, request: Request) -> Response:
        """Answer `{name: [version]}` with the advisories by name."""
        return JSONResponse(self.registry.against(await _body(request)))

    async def audit_quickly(self, request: Request) -> Response:
        """Answer an old npm's audit of a lock file: here only what it is about, for npm 7 and newer ask the other way."""
        found = self.registry.against((await _body(request)).get("dependencies", {}))
        numbered = {str(n): one for n, one in enumerate((one for ones in found.values() for one in ones), 1)}
        return JSONResponse({"advisories": numbered, "metadata": {"vulnerabilities": {}}})

    async def advise(self, request: Request) -> Response:
        """Take an advisory, or take all back; give those in force."""
        if request.method == "PUT":
            given = await json_object(request)
            if missing := [name for name in ADVISORY if not isinstance(given.get(name), str)]:
                raise HTTPException(
                    422, f"an advisory has the texts {', '.join(ADVISORY)}; wrong or missing: {missing[0]}"
                )
            number = len(self.registry.advisories) + 1
            link = f"https://github.com/advisories/GHSA-twin-{number:04}"
            weight = {"cwe": [], "cvss": {"score": 0, "vectorString": None}}
            self.registry.advisories.append({"id": number, "url": link, **weight, **given})
        elif request.method == "DELETE":
            self.registry.advisories.clear()
        return JSONResponse(self.registry.advisories)

    async def release(self, request: Request) -> Response:
        """Take a newer release of a package that is known, or take all back; give those made."""
        if request.method == "PUT":
            given = await json_object(request)
            if given.get("name") not in locked():
                raise HTTPException(404, f"no package {given.get('name')} here")
            self.registry.released.append((given["name"], str(given.get("version"))))
        elif request.method == "DELETE":
            self.registry.released.clear()
        return JSONResponse(self.registry.released)


async def _body(request: Request) -> dict[str, Any]:
    """Read a JSON object that may be gzipped; anything else is a 400."""
    body = await request.body()
    try:
        if request.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        parsed = json.loads(body)
    except (OSError, EOFError, zlib.error, ValueError):
        raise HTTPException(400, "the body is not JSON, plain or gzipped") from None
    if not isinstance(parsed, dict):
        raise HTTPException(400, "the body is not a JSON object")
    return parsed


if __name__ == "__main__":
    twin = Registry()
    serve(Listener(twin.application(Application(twin).routes)))
