"""The pager: the one way to the simulated people on call, over HTTP as a team's own alerting would go.

Its contract, under the URL that `people.pager` of the environment file names: POST {"to", "message"} gives 201 and a call
{"id", "status", "waited", "clock_factor"}, GET URL/ID that call as it stands. `status` is ringing, acknowledged or
no-answer; `waited` are seconds of that person's time, up to the acknowledgement once there is one; their time runs
`clock_factor` times as fast as the machine's. /behaviour on the same host says how people behave: PUT takes
{"acknowledges_after": {phone: seconds or null}, "clock_factor": number}.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urljoin

import httpx

from drillbook.backends.base import Environment
from drillbook.errors import EnvironmentFailed, UsageError
from drillbook.probes.http import tls_context

SECONDS = 5.0
"""How long the pager may take to answer."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call as it stands: see the module."""

    id: str
    status: str
    waited: float
    clock_factor: float


class Pager:
    """A connection to the pager. Close it, or use it in `with`. Every method raises EnvironmentFailed without an answer."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(verify=tls_context(), timeout=SECONDS, trust_env=False)

    @classmethod
    def of(cls, environment: Environment) -> Self:
        """Connect to an environment's pager; UsageError if it declares none."""
        url = environment.topology.people.pager
        if url is None:
            raise UsageError("the environment file names no pager", mend="people: {pager: https://…}")
        return cls(url)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def place(self, number: str, message: str) -> Call:
        """Call a number."""
        return _call(self._ask("POST", self.url, {"to": number, "message": message}))

    def look(self, call: Call) -> Call:
        """Give a call as it stands now."""
        return _call(self._ask("GET", f"{self.url}/{call.id}"))

    def behaviour(self) -> Mapping[str, Any]:
        """Give how people behave now."""
        return self._ask("GET", urljoin(self.url, "/behaviour"))

    def behave(self, **changes: Any) -> None:
        """Change how people behave; what is not named stays as it is."""
        self._ask("PUT", urljoin(self.url, "/behaviour"), {**self.behaviour(), **changes})

    def _ask(self, method: str, url: str, body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        try:
            answer = self._http.request(method, url, json=body)
            given: Mapping[str, Any] = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise EnvironmentFailed(f"the pager did not answer {method} {url}: {error!r}") from error
        if answer.is_error:
            raise EnvironmentFailed(f"the pager refused {method} {url}: {answer.status_code} {answer.text[:200]}")
        return given


def _call(given: Mapping[str, Any]) -> Call:
    return Call(str(given["id"]), str(given["status"]), float(given["waited"]), float(given["clock_factor"]))
