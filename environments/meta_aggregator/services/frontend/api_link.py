"""The frontend's way to the orders API: the API's name in TLS and HTTP, over a connection that may lead elsewhere.

In a sandbox that elsewhere is the link's own proxy. The name that the certificate is checked against stays the API's,
because `sni_hostname` sets both the name sent in TLS and the one verified.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import httpx


class ApiUnreachable(Exception):
    """The API gave no HTTP answer; says why in one line."""


class ApiLink:
    """Calls the API at `url`, through `connect` ("host:port"; "" means where the URL's own name leads).

    `timeout` (seconds) leaves the API's own health check time to say what hangs: that gives each dependency 0.8 s.
    """

    def __init__(self, url: str, connect: str = "", timeout: float = 1.2) -> None:
        self._host = urlsplit(url).netloc
        self._base = f"https://{connect}" if connect else url.rstrip("/")
        self._extensions = {"sni_hostname": urlsplit(url).hostname}
        self._client = httpx.AsyncClient(timeout=httpx.Timeout(timeout))

    async def get(self, path: str, query: str = "") -> httpx.Response:
        """Get a path; raise ApiUnreachable without an answer."""
        url = f"{self._base}{path}" + (f"?{query}" if query else "")
        try:
            return await self._client.get(url, headers={"Host": self._host}, extensions=self._extensions)
        except httpx.HTTPError as error:
            raise ApiUnreachable(f"{type(error).__name__}: {error}".rstrip(": ")) from None

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()
