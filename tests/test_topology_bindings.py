"""Patterns, references, addresses and the order of start: what the rest of Drillbook asks of a topology."""

from __future__ import annotations

import ipaddress
import json
import shlex
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.backends.base import Address
from drillbook.errors import UsageError
from drillbook.topology.addresses import ProxyPlan, addresses
from drillbook.topology.bindings import command_words, match, pattern_words
from drillbook.topology.model import Topology
from drillbook.topology.order import start_order
from drillbook.topology.references import Reference, reference_values, references, resolve

WORDS = st.lists(st.text(min_size=1, max_size=6).filter(lambda word: word not in ("*", "**")), min_size=1, max_size=5)


def process(*needs: str, port: int = 443) -> dict[str, object]:
    health = {"tcp": {"port": "https"}}
    return {
        "kind": "process",
        "python": "services.x",
        "ports": {"https": port},
        "depends_on": list(needs),
        "health": health,
    }


def app(*needs: str) -> dict[str, object]:
    return process(*needs) | {"kind": "app", "platform": "platform"}


def topology(services: Mapping[str, object], **rest: object) -> Topology:
    given_ = {
        "version": 1,
        "name": "test",
        "runbook": "runbook.md",
        "services": services,
        "probes": {"p": {"tcp": {"to": "a.example:443"}}},
        "steady_state": {"probes": ["p"]},
    }
    return Topology.model_validate_json(json.dumps(given_ | rest))


@pytest.mark.parametrize(
    ("pattern", "line", "fits"),
    [
        ("npm test", "npm test", True),
        ("npm test", "npm test now", False),
        ("npm test now", "npm test", False),
        ("npm *", "npm test", True),
        ("npm *", "npm", False),
        ("npm *", "npm run build", False),
        ("npm run **", "npm run build --prod", True),
        ("npm run **", "npm run", True),
        ("npm run **", "npm", False),
        ("npm * **", "npm run", True),
        ("npm * **", "npm", False),
        ("node 'my script.js' **", "node my\\ script.js -v", True),
        ("node 'my script.js' **", "node my script.js", False),
        ("node *", "node 'two words'", True),
        ("node *.js", "node a.js", False),
    ],
)
def test_patterns(pattern: str, line: str, fits: bool) -> None:
    assert match(pattern, shlex.split(line)) is fits


@pytest.mark.parametrize("pattern", ["", "  ", "*", "** x", "a ** b", "a 'b", "''"])
def test_a_pattern_that_means_nothing_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"program|last word|quotes"):
        pattern_words(pattern)


@given(WORDS)
def test_words_match_themselves_whatever_they_are(words: list[str]) -> None:
    pattern = shlex.join(words)
    assert match(pattern, words)
    assert match(f"{pattern} **", words)
    assert not match(f"{pattern} *", words)


def test_a_word_that_only_the_shell_knows_fits_anything() -> None:
    assert match("node check.js", ["node", None])
    assert not match("node check.js", ["npm", None])


def test_a_command_whose_quotes_do_not_close_still_has_words() -> None:
    assert command_words("echo 'a b' c") == ("echo", "a b", "c")
    assert command_words("echo it's") == ("echo", "it's")


def test_references_are_found_where_they_stand() -> None:
    text = "a${secrets.x}:$${no}${IMAGE:-b:1}${open"
    assert references(text) == [
        Reference("secrets.x", None, 1, "${secrets.x}"),
        Reference("IMAGE", "b:1", 20, "${IMAGE:-b:1}"),
        Reference("open", None, 33, "${open"),
    ]
    assert [found.closed for found in references(text)] == [True, True, False]
    assert all(text[found.start :].startswith(found.raw) for found in references(text))


def test_references_are_resolved() -> None:
    values = {"secrets.x": "p$w{}", "IMAGE": "", "EMPTY.ok": ""}
    assert resolve("${secrets.x}@$${secrets.x}", values) == "p$w{}@${secrets.x}"
    assert resolve("${IMAGE:-postgres:16}", values) == "postgres:16"
    assert resolve("${IMAGE:-postgres:16}", {"IMAGE": "pg:17"}) == "pg:17"
    assert resolve("[${EMPTY.ok}]", values) == "[]"


@pytest.mark.parametrize("text", ["${secrets.y}", "${", "${secrets.x", "${}"])
def test_a_reference_without_a_value_is_an_error(text: str) -> None:
    with pytest.raises(UsageError, match="nothing gives"):
        resolve(text, {"secrets.x": "1"})


@given(st.text(), st.text(max_size=10))
def test_a_value_is_never_read_as_a_reference_again(text: str, value: str) -> None:
    plain = text.replace("$", "")
    assert resolve(f"{plain}${{state}}", {"state": value + "${state}"}) == plain + value + "${state}"


def test_reference_values_cover_links_people_secrets_and_state() -> None:
    contact = {"name": "On call", "phone": "+1-555-0100", "role": "Development", "acknowledges_after": "1m"}
    made = topology(
        {"db": process(port=5432), "api": process()},
        links={"api-db": {"from": "api", "to": "db.https"}},
        people={"contacts": {"primary": contact, "away": contact | {"acknowledges_after": "never"}}},
    )
    values = reference_values(made, addresses(made), {"db": "s3"}, Path("/state"))
    assert resolve("${secrets.db} ${links.api-db} ${links.api-db.host} ${links.api-db.port} ${state}", values) == (
        "s3 127.0.3.1:5432 127.0.3.1 5432 /state"
    )
    assert json.loads(values["people.contacts"]) == {
        "primary": contact | {"acknowledges_after": 60.0, "passed_over_after": 300.0, "email": None},
        "away": contact | {"acknowledges_after": None, "passed_over_after": 300.0, "email": None},
    }


def test_services_start_in_layers_and_apps_last() -> None:
    made = topology(
        {
            "web": app("api"),
            "api": app("db"),
            "late": process("mid"),
            "mid": process("db"),
            "db": process(),
            "chat": process(),
            "other": app(),
            "platform": {"kind": "platform", "ports": {"admin": 7400}},
        }
    )
    assert start_order(made) == [["db", "chat", "platform"], ["mid"], ["late"], ["api", "other"], ["web"]]


def test_every_service_name_and_link_has_an_address_of_its_own() -> None:
    made = topology(
        {"db": process(port=5432), "api": process()},
        names={"a.example": {"443": "api.https", "80": "api.https"}, "db.example": {"5432": "db.https"}},
        links={"api-db": {"from": "api", "to": "db.https"}},
    )
    plan = addresses(made)
    assert (plan.service("db"), plan.service("api")) == ("127.0.2.1", "127.0.2.2")
    assert (plan.name("a.example"), plan.name("db.example")) == ("127.0.1.1", "127.0.1.2")
    assert plan.port("db", "https") == Address("127.0.2.1", 5432)
    assert plan.link("api-db") == Address("127.0.3.1", 5432)
    assert plan.link("a.example:80") == Address("127.0.1.1", 80)
    assert plan.proxies() == [
        ProxyPlan("a.example:443", Address("127.0.1.1", 443), Address("127.0.2.2", 443)),
        ProxyPlan("a.example:80", Address("127.0.1.1", 80), Address("127.0.2.2", 443)),
        ProxyPlan("db.example:5432", Address("127.0.1.2", 5432), Address("127.0.2.1", 5432)),
        ProxyPlan("api-db", Address("127.0.3.1", 5432), Address("127.0.2.1", 5432)),
    ]
    hosts = {name: host for host, name in (line.split("\t") for line in plan.hosts_file().splitlines())}
    assert hosts["localhost"] == "127.0.0.1"
    assert hosts["a.example"] == "127.0.1.1"
    assert hosts["db.service.internal"] == "127.0.2.1"
    assert hosts["api-db.link.internal"] == "127.0.3.1"


@pytest.mark.parametrize("name", ["nothing", "a.example:81", "b.example:443", "a.example:x", ":", ""])
def test_an_address_of_nothing_is_a_key_error(name: str) -> None:
    made = topology({"api": process()}, names={"a.example": {"443": "api.https"}})
    with pytest.raises(KeyError):
        addresses(made).link(name)


def test_more_than_254_of_a_kind_have_addresses_too() -> None:
    services = {f"s{number}": process() for number in range(600)}
    made = topology(services, names={f"n{number}.example": {"443": f"s{number}.https"} for number in range(600)})
    plan = addresses(made)
    hosts = [plan.service(f"s{number}") for number in range(600)] + [
        plan.name(f"n{number}.example") for number in range(600)
    ]
    assert len(set(hosts)) == 1200
    assert all(ipaddress.ip_address(host).is_loopback for host in hosts)
    assert not any(host.endswith((".0", ".255")) for host in hosts)
    assert len({proxy.listen for proxy in plan.proxies()}) == 600
