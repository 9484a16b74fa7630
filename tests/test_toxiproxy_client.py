"""LinkControl against a real server of ours, and against servers that are broken in the ways that toxiproxy-python hides."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from threading import Thread

import pytest

from drillbook.errors import EnvironmentFailed
from drillbook.toxiproxy.binary import own_command
from drillbook.toxiproxy.client import LinkControl, LinkState, Toxic
from tests.toxiproxy_process import Api, free_port, running


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with running(own_command()) as api:
        yield api


@pytest.fixture
def links(api: Api) -> Iterator[LinkControl]:
    control = LinkControl("127.0.0.1", api.port)
    yield control
    for name in control.names():
        api.ask("DELETE", f"/proxies/{name}")


def test_a_link_is_created_where_it_was_told_to_listen(links: LinkControl) -> None:
    port = free_port()
    made = links.create("db.example.com:5432", f"127.0.0.1:{port}", "127.0.0.1:1")
    assert made == LinkState("db.example.com:5432", f"127.0.0.1:{port}", "127.0.0.1:1", True)
    assert links.state("db.example.com:5432") == made
    assert links.names() == ["db.example.com:5432"]


def test_disable_and_enable(links: LinkControl) -> None:
    made = links.create("db", "127.0.0.1:0", "127.0.0.1:1")
    links.disable("db")
    assert links.state("db").enabled is False
    links.enable("db")
    assert links.state("db") == made


def test_toxics_come_and_go(links: LinkControl) -> None:
    links.create("db", "127.0.0.1:0", "127.0.0.1:1")
    assert links.add_toxic("db", "latency", attributes={"latency": 50}) == "latency_downstream"
    assert (
        links.add_toxic("db", "bandwidth", stream="upstream", toxicity=0.5, name="slow", attributes={"rate": 9})
        == "slow"
    )
    assert links.state("db").toxics == (
        Toxic("slow", "bandwidth", "upstream", 0.5, {"rate": 9}),
        Toxic("latency_downstream", "latency", "downstream", 1, {"latency": 50, "jitter": 0}),
    )
    links.remove_toxic("db", "slow")
    assert [toxic.name for toxic in links.state("db").toxics] == ["latency_downstream"]
    links.disable("db")
    links.reset()
    assert links.state("db").toxics == ()
    assert links.state("db").enabled


def test_an_unknown_link_names_the_nearest(links: LinkControl) -> None:
    with pytest.raises(EnvironmentFailed, match=r"no link databse.*\n.*create it first"):
        links.disable("databse")
    links.create("database", "127.0.0.1:0", "127.0.0.1:1")
    with pytest.raises(EnvironmentFailed, match=r"no link databse.*\n.*did you mean database"):
        links.disable("databse")
    with pytest.raises(EnvironmentFailed, match="the links are: database"):
        links.state("zzz")


@pytest.mark.parametrize(
    ("type", "attributes", "reason"),
    [("zzz", {}, "invalid toxic type"), ("bandwidth", {"rate": -1}, "rate of 0 or more")],
)
def test_a_refused_toxic_is_told_in_the_servers_words(
    links: LinkControl, type: str, attributes: dict[str, int], reason: str
) -> None:
    links.create("db", "127.0.0.1:0", "127.0.0.1:1")
    with pytest.raises(EnvironmentFailed, match=f"did not add toxic .* to link db: .*{reason}"):
        links.add_toxic("db", type, attributes=attributes)


def test_twice_the_same_name_fails(links: LinkControl) -> None:
    links.create("db", "127.0.0.1:0", "127.0.0.1:1")
    with pytest.raises(EnvironmentFailed, match="already exists"):
        links.create("db", "127.0.0.1:0", "127.0.0.1:1")
    links.add_toxic("db", "noop", attributes={})
    with pytest.raises(EnvironmentFailed, match="toxic already exists"):
        links.add_toxic("db", "noop", attributes={})
    with pytest.raises(EnvironmentFailed, match="toxic not found"):
        links.remove_toxic("db", "other")


def test_a_500_is_no_success(links: LinkControl, api: Api) -> None:
    links.create("db", "127.0.0.1:0", "127.0.0.1:1")
    links.disable("db")
    host, _, port = links.state("db").listen.rpartition(":")
    with (
        socket.create_server((host, int(port))),
        pytest.raises(EnvironmentFailed, match=r"did not enable link db: 500.*address already in use"),
    ):
        links.enable("db")
    with pytest.raises(EnvironmentFailed, match="did not create link x: 500"):
        links.create("x", f"127.0.0.1:{api.port}", "127.0.0.1:1")


def test_a_server_that_is_not_there_or_silent_fails_in_time() -> None:
    with pytest.raises(EnvironmentFailed, match="did not list the links"):
        LinkControl("127.0.0.1", free_port()).names()
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(EnvironmentFailed, match=r"did not reset the links: .*timed out"),
    ):
        LinkControl("127.0.0.1", silent.getsockname()[1], timeout=0.2).reset()


def test_a_proxy_of_the_surroundings_is_not_asked(links: LinkControl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert links.names() == []


def test_two_servers_in_two_threads_are_not_confused(links: LinkControl) -> None:
    with running(own_command()) as other_api:
        other = LinkControl("127.0.0.1", other_api.port)
        threads = [
            Thread(
                target=lambda number=number, control=control: control.create(f"{number}", "127.0.0.1:0", "127.0.0.1:1")
            )
            for number in range(10)
            for control in (links, other)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert links.names() == other.names() == [str(number) for number in range(10)]
