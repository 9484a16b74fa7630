"""The frontend as a browser and a probe meet it, with the API up, down, unwell or not who it says it is."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from threading import Thread

import httpx
import pytest

from tests.postgres import free_port
from tests.running import Certificates, Service, running

API = "api.metaaggregator.com"


@dataclass(slots=True)
class Api:
    """Stands where the link to the API leads: a TLS server that notes who was asked for, and answers as told."""

    port: int
    status: str = "ok"
    hosts: list[str] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.hosts += [line.split(": ")[1] for line in head.splitlines() if line.lower().startswith("host:")]
        path = head.split(" ")[1]
        body = {"status": self.status} if path == "/health" else {"orders": [], "asked": path}
        content = json.dumps(body).encode()
        status = "503 Service Unavailable" if self.status == "down" else "200 OK"
        header = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n"
        writer.write(f"{header}Connection: close\r\n\r\n".encode() + content)
        await writer.drain()
        writer.close()


@contextmanager
def api(certificates: Certificates, name: str = API) -> Iterator[Api]:
    """Run one; its certificate is for `name`."""
    served = Api(free_port())
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificates.issue(name))
    context.sni_callback = lambda _socket, asked, _context: served.names.append(asked)

    @asynccontextmanager
    async def listening() -> AsyncIterator[None]:
        async with await asyncio.start_server(served.answer, "127.0.0.1", served.port, ssl=context):
            yield

    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    server = listening()
    asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(5)
    try:
        yield served
    finally:
        asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def frontend(certificates: Certificates, connect: int) -> Iterator[Service]:
    environment = {"API_URL": f"https://{API}", "API_CONNECT": f"127.0.0.1:{connect}", "RELEASE": "3"}
    names = ["metaaggregator.com", "www.metaaggregator.com"]
    ports = ("https", "http")
    with running(
        "frontend", certificates, names=names, ports=ports, environment=environment, health="/api/health"
    ) as service:
        yield service


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("frontend"))


@pytest.fixture(scope="module")
def up(certificates: Certificates) -> Iterator[tuple[Api, Service]]:
    with api(certificates) as served, frontend(certificates, served.port) as service:
        yield served, service


class Titles(HTMLParser):
    """Collects the text of title and h1, and complains of tags that are closed wrongly."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        if tag not in ("meta", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts.setdefault(self.open[-1], data)


def test_the_page_is_a_whole_page(up: tuple[Api, Service]) -> None:
    answer = up[1].client.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    page = Titles()
    page.feed(answer.text)
    assert page.open == []
    assert (page.texts["title"], page.texts["h1"]) == ("Meta Aggregator", "Meta Aggregator")


def test_the_api_is_asked_by_its_own_name_over_the_link(up: tuple[Api, Service]) -> None:
    served, service = up
    answer = service.client.get("/api/orders?limit=2&status=open")
    assert answer.json()["asked"] == "/api/orders?limit=2&status=open"
    assert set(served.hosts) == {API}
    assert set(served.names) == {API}


@pytest.mark.parametrize(("status", "expected"), [("ok", "ok"), ("degraded", "degraded"), ("down", "degraded")])
def test_health_tells_the_apis_state_with_200(up: tuple[Api, Service], status: str, expected: str) -> None:
    served, service = up
    served.status = status
    answer = service.client.get("/api/health")
    served.status = "ok"
    assert answer.status_code == 200
    assert answer.json() == {"status": expected, "service": "frontend", "release": "3", "api": status}


def test_plain_http_is_sent_to_tls_with_its_path(up: tuple[Api, Service]) -> None:
    url = f"http://127.0.0.1:{up[1].ports['http']}/orders?x=1"
    answer = httpx.get(url, headers={"Host": "metaaggregator.com"})
    assert (answer.status_code, answer.headers["location"]) == (308, "https://metaaggregator.com/orders?x=1")


def test_the_site_stays_up_without_the_api_and_says_so(certificates: Certificates) -> None:
    with frontend(certificates, free_port()) as service:
        assert service.client.get("/").status_code == 200
        health = service.client.get("/api/health")
        assert (health.status_code, health.json()["status"], health.json()["api"]) == (200, "degraded", "down")
        assert service.client.get("/api/orders").status_code == 502
        assert service.terminate() == 0


def test_an_api_with_another_name_in_its_certificate_is_not_trusted(certificates: Certificates) -> None:
    with api(certificates, "impostor.example.com") as served, frontend(certificates, served.port) as service:
        assert service.client.get("/api/health").json()["api"] == "down"
        assert "certificate" in service.client.get("/api/orders").json()["error"].lower()
        assert served.hosts == []
