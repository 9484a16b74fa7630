"""JSON over HTTPS with the standard library only: a shim must start as fast as the tool that it stands for."""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A status code and a JSON body (any)."""

    status: int
    body: Any

    @property
    def ok(self) -> bool:
        return self.status < 400


class JsonServer:
    """A server at an https URL; OSError is raised where it cannot be reached (ssl errors are OSErrors too)."""

    def __init__(self, url: str, *, ca_file: str | None = None, token: str | None = None) -> None:
        self.address = urlsplit(url)
        self.timeout = TIMEOUT
        self._context = ssl.create_default_context(cafile=ca_file)
        self._token = token

    def call(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """Send one request; keyword arguments are header names with underscores for hyphens.

        TimeoutError, an OSError, if nothing is heard for `timeout` seconds.
        """
        connection = http.client.HTTPSConnection(
            self.address.hostname or "", self.address.port or 443, timeout=self.timeout, context=self._context
        )
        sent = {"Accept": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
        if self._token:
            sent["Authorization"] = f"Bearer {self._token}"
        try:
            connection.request(method, path, None if body is None else json.dumps(body), sent)
            response = connection.getresponse()
            text = response.read()
        except http.client.HTTPException as error:
            raise OSError(f"the answer is no HTTP: {error!r}") from error
        finally:
            connection.close()
        return Answer(response.status, json.loads(text) if text else None)
