"""The twins of outside services as their callers meet them: real processes, real TLS, real SMTP."""

from __future__ import annotations

import json
import smtplib
import socket
import ssl
from collections.abc import Iterator
from email.message import EmailMessage
from time import monotonic

import httpx
import pytest

from drillbook.clock import wait_until
from tests.running import Certificates, Service, running

WETH, USDC = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2", "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
SWAP = {"chainId": "1", "sellToken": WETH, "buyToken": USDC, "sellAmount": str(10**18)}
KEYED = {"0x-api-key": "a-key", "0x-version": "v2"}
CONTACTS = {
    "primary": {"name": "Joeri", "phone": "+1-555-0123", "role": "Lead", "acknowledges_after": 40.0},
    "secondary": {"name": "Operations", "phone": "+1-555-0100", "role": "Support", "acknowledges_after": None},
}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("twins"))


@pytest.fixture(scope="module")
def zeroex(certificates: Certificates) -> Iterator[Service]:
    with running("zeroex", certificates, environment={"ZEROEX_API_KEY": "a-key"}) as service:
        yield service


@pytest.fixture(scope="module")
def coingecko(certificates: Certificates) -> Iterator[Service]:
    with running("coingecko", certificates) as service:
        yield service


@pytest.fixture(scope="module")
def slack(certificates: Certificates) -> Iterator[Service]:
    with running("slack", certificates) as service:
        yield service


@pytest.fixture(scope="module")
def discord(certificates: Certificates) -> Iterator[Service]:
    with running("discord", certificates, environment={"DISCORD_WEBHOOK_TOKEN": "a-token"}) as service:
        yield service


@pytest.fixture(scope="module")
def mail(certificates: Certificates) -> Iterator[Service]:
    with running("mail", certificates, ports=("smtp", "http")) as service:
        yield service


@pytest.fixture(scope="module")
def phone(certificates: Certificates) -> Iterator[Service]:
    with running("phone", certificates, environment={"CONTACTS": json.dumps(CONTACTS)}) as service:
        yield service


@pytest.fixture(scope="module")
def status_page(certificates: Certificates) -> Iterator[Service]:
    with running("status_page", certificates) as service:
        yield service


@pytest.fixture(autouse=True)
def healed(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    for name in {"zeroex", "coingecko", "slack", "discord", "mail", "phone", "status_page"} & set(request.fixturenames):
        client = request.getfixturevalue(name).client
        client.delete("/behaviour")
        client.delete("/inbox")


def test_zeroex_prices_a_swap_and_takes_its_fee(zeroex: Service) -> None:
    body = zeroex.client.get("/swap/allowance-holder/price", params=SWAP, headers=KEYED).json()
    assert body["liquidityAvailable"] is True
    assert int(body["buyAmount"]) + int(body["fees"]["zeroExFee"]["amount"]) == 3000 * 10**6
    assert "transaction" not in body


def test_zeroex_quote_needs_a_taker_and_carries_a_transaction(zeroex: Service) -> None:
    refused = zeroex.client.get("/swap/allowance-holder/quote", params=SWAP, headers=KEYED)
    assert (refused.status_code, refused.json()["name"]) == (400, "INPUT_INVALID")
    assert refused.json()["data"]["details"] == [{"field": "taker", "reason": "Invalid ethereum address"}]
    taken = zeroex.client.get("/swap/allowance-holder/quote", params={**SWAP, "taker": "0x" + "1" * 40}, headers=KEYED)
    assert taken.json()["transaction"]["to"] == taken.json()["allowanceTarget"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 401), ({"0x-api-key": "other", "0x-version": "v2"}, 401), ({"0x-api-key": "a-key"}, 400), (KEYED, 200)],
)
def test_zeroex_wants_key_and_version(zeroex: Service, headers: dict[str, str], status: int) -> None:
    answer = zeroex.client.get("/swap/allowance-holder/price", params=SWAP, headers=headers)
    assert answer.status_code == status


def test_zeroex_v1_is_gone(zeroex: Service) -> None:
    assert zeroex.client.get("/swap/v1/quote", headers=KEYED).status_code == 404


def test_coingecko_answers_as_the_real_one(coingecko: Service) -> None:
    assert coingecko.client.get("/api/v3/ping").json() == {"gecko_says": "(V3) To the Moon!"}
    prices = coingecko.client.get("/api/v3/simple/price?ids=ethereum,nothing&vs_currencies=usd").json()
    assert prices == {"ethereum": {"usd": 3000.0}}
    assert coingecko.client.get("/api/v3/simple/price?ids=ethereum").status_code == 422


def test_coingecko_limits_the_rate_when_asked_to(coingecko: Service) -> None:
    coingecko.client.put("/behaviour", json={"mode": "healthy", "requests_per_minute": 3})
    statuses = [coingecko.client.get("/api/v3/ping").status_code for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    limited = coingecko.client.get("/api/v3/ping")
    assert limited.json()["status"]["error_code"] == 429
    assert int(limited.headers["retry-after"]) > 0


@pytest.mark.parametrize("path", ["/health", "/api/v3/ping"])
def test_behaviour_reaches_health_too_and_is_undone(coingecko: Service, path: str) -> None:
    coingecko.client.put("/behaviour", json={"mode": "error", "status": 502})
    assert coingecko.client.get(path).status_code == 502
    coingecko.client.put("/behaviour", json={"mode": "rate-limited"})
    assert coingecko.client.get(path).status_code == 429
    coingecko.client.put("/behaviour", json={"mode": "garbage"})
    garbage = coingecko.client.get(path)
    assert garbage.status_code == 200
    with pytest.raises(UnicodeDecodeError):
        garbage.json()
    coingecko.client.delete("/behaviour")
    assert coingecko.client.get(path).status_code == 200


def test_slow_answers_late_and_hang_not_at_all(coingecko: Service) -> None:
    coingecko.client.put("/behaviour", json={"mode": "slow", "delay": 0.3})
    started = monotonic()
    assert coingecko.client.get("/api/v3/ping").status_code == 200
    assert monotonic() - started >= 0.3
    coingecko.client.put("/behaviour", json={"mode": "hang"})
    with pytest.raises(httpx.ReadTimeout):
        coingecko.client.get("/api/v3/ping", timeout=0.5)


@pytest.mark.parametrize(
    "wrong", [{"mode": "sulky"}, {"mode": "error", "status": 200}, {"moood": "error"}, {"delay": []}]
)
def test_a_wrong_behaviour_is_refused_and_changes_nothing(coingecko: Service, wrong: dict[str, object]) -> None:
    assert coingecko.client.put("/behaviour", json=wrong).status_code == 422
    assert coingecko.client.get("/api/v3/ping").status_code == 200


def test_slack_posts_and_says_no_under_200(slack: Service) -> None:
    def post(token: str, **body: str) -> dict[str, object]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = slack.client.post("/api/chat.postMessage", json=body, headers=headers)
        assert answer.status_code == 200
        return dict(answer.json())

    assert post("xoxb-1", channel="#emergency-response", text="System down")["ok"] is True
    assert post("", channel="#emergency-response", text="x")["error"] == "not_authed"
    assert post("guess", channel="#emergency-response", text="x")["error"] == "invalid_auth"
    assert post("xoxb-1", channel="#nowhere", text="x")["error"] == "channel_not_found"
    assert post("xoxb-1", channel="#emergency-response")["error"] == "no_text"
    (message,) = slack.client.get("/inbox").json()
    assert (message["channel"], message["recipient"], message["text"]) == (
        "slack",
        "#emergency-response",
        "System down",
    )
    assert message["time"].endswith("Z")


def test_slack_webhook_answers_in_words(slack: Service) -> None:
    path = "/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX"
    assert slack.client.post(path, json={"text": "hello"}).text == "ok"
    assert slack.client.post(path, data={"payload": '{"text": "form"}'}).text == "ok"
    broken = slack.client.post(path, content="{", headers={"Content-Type": "application/json"})
    assert (broken.status_code, broken.text) == (400, "invalid_payload")
    unknown = slack.client.post("/services/T0/B0/short", json={"text": "hello"})
    assert (unknown.status_code, unknown.text) == (404, "no_service")
    assert [message["text"] for message in slack.client.get("/inbox").json()] == ["hello", "form"]


@pytest.mark.parametrize(
    ("path", "content", "status", "code"),
    [
        ("1170000000000000001/a-token", "A bug", 204, None),
        ("1170000000000000001/a-token?wait=true", "A bug", 200, None),
        ("1170000000000000002/a-token", "A bug", 404, 10015),
        ("1170000000000000001/another", "A bug", 401, 50027),
        ("1170000000000000001/a-token", " ", 400, 50006),
        ("1170000000000000001/a-token", "x" * 2001, 400, 50035),
    ],
)
def test_discord_takes_what_its_webhook_takes(
    discord: Service, path: str, content: str, status: int, code: int | None
) -> None:
    answer = discord.client.post(f"/api/webhooks/{path}", json={"content": content})
    assert answer.status_code == status
    assert code is None or answer.json()["code"] == code
    arrived = [(one["recipient"], one["text"]) for one in discord.client.get("/inbox").json()]
    assert arrived == ([("@joeri_dev", content)] if code is None else [])


def test_discord_says_how_long_to_wait(discord: Service) -> None:
    discord.client.put("/behaviour", json={"mode": "rate-limited"})
    answer = discord.client.post("/api/webhooks/1170000000000000001/a-token", json={"content": "A bug"})
    assert (answer.status_code, answer.json()["retry_after"]) == (429, 60.0)
    assert discord.client.get("/inbox").json() == []


def test_deleting_the_inbox_empties_it_and_heals(slack: Service) -> None:
    slack.client.put("/behaviour", json={"mode": "error"})
    assert slack.client.get("/health").status_code == 503
    assert slack.client.delete("/inbox").status_code == 204
    assert slack.client.get("/health").status_code == 200
    assert slack.client.get("/inbox").json() == []


def letter() -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"] = "operations@metaaggregator.com", "customers@example.com"
    message["Subject"] = "Störung"
    message.set_content("We are back.\n")
    return message


def test_mail_is_delivered_in_plain_and_over_starttls(mail: Service, certificates: Certificates) -> None:
    with smtplib.SMTP("127.0.0.1", mail.ports["smtp"], timeout=5) as smtp:
        smtp.send_message(letter())
    with smtplib.SMTP("127.0.0.1", mail.ports["smtp"], timeout=5) as smtp:
        smtp.starttls(context=ssl.create_default_context(cafile=str(certificates.file)))
        smtp.send_message(letter(), to_addrs=["a@example.com", "b@example.com"])
    inbox = mail.client.get("/inbox").json()
    assert [message["recipient"] for message in inbox] == ["customers@example.com", "a@example.com", "b@example.com"]
    assert {(message["text"], message["details"]["subject"]) for message in inbox} == {("We are back.", "Störung")}


def test_mail_refuses_as_its_behaviour_asks(mail: Service) -> None:
    mail.client.put("/behaviour", json={"mode": "error"})
    with smtplib.SMTP("127.0.0.1", mail.ports["smtp"], timeout=5) as smtp, pytest.raises(smtplib.SMTPRecipientsRefused):
        smtp.send_message(letter())
    assert mail.client.get("/inbox").json() == []


def test_a_call_rings_until_its_person_takes_it(phone: Service) -> None:
    call = phone.client.post("/calls", json={"to": "+1-555-0123", "message": "System down"})
    assert (call.status_code, call.json()["status"]) == (201, "ringing")
    where = f"/calls/{call.json()['id']}"
    assert phone.client.get(where).json()["status"] == "ringing"
    phone.client.put("/behaviour", json={"mode": "healthy", "clock_factor": 1000})
    assert wait_until(lambda: phone.client.get(where).json()["status"] == "acknowledged", 2)
    assert phone.client.get("/inbox").json()[0]["recipient"] == "+1-555-0123"


def test_a_person_who_never_answers(phone: Service) -> None:
    phone.client.put("/behaviour", json={"clock_factor": 1000})
    number = phone.client.post("/calls", json={"to": "+1-555-0100", "message": "x"}).json()["id"]
    assert wait_until(lambda: phone.client.get(f"/calls/{number}").json()["status"] == "no-answer", 2)
    phone.client.put("/behaviour", json={"acknowledges_after": {"+1-555-0100": 0}})
    assert phone.client.get(f"/calls/{number}").json()["status"] == "acknowledged"


def test_unknown_numbers_are_refused(phone: Service) -> None:
    assert phone.client.post("/calls", json={"to": "+1-555-9999", "message": "x"}).status_code == 404
    wrong = phone.client.put("/behaviour", json={"acknowledges_after": {"+1-555-9999": 1}})
    assert wrong.status_code == 422
    assert phone.client.get("/calls/call-99").status_code == 404


def test_status_page_follows_an_incident(status_page: Service) -> None:
    client = status_page.client
    opened = client.post(
        "/api/v1/incidents",
        json={"incident": {"name": "Outage <all>", "status": "investigating", "impact": "critical", "body": "Looking"}},
    )
    assert opened.status_code == 201
    assert client.get("/api/v2/status.json").json()["status"]["indicator"] == "critical"
    client.patch(f"/api/v1/incidents/{opened.json()['id']}", json={"incident": {"status": "resolved", "body": "Done"}})
    assert client.get("/api/v2/status.json").json()["status"]["description"] == "All Systems Operational"
    (incident,) = client.get("/api/v2/incidents.json").json()["incidents"]
    assert incident["resolved_at"] is not None
    assert [update["body"] for update in incident["incident_updates"]] == ["Done", "Looking"]
    assert "Outage &lt;all&gt;" in client.get("/").text
    assert [message["text"] for message in client.get("/inbox").json()] == [
        "Outage <all>: Looking",
        "Outage <all>: Done",
    ]
    assert client.post("/api/v1/incidents", json={"incident": {"status": "investigating"}}).status_code == 422


def test_sigterm_ends_a_twin_at_once_even_while_a_request_hangs(certificates: Certificates) -> None:
    with running("coingecko", certificates) as service:
        service.client.put("/behaviour", json={"mode": "hang"})
        plain = socket.create_connection(("127.0.0.1", service.ports["https"]))
        with certificates.context.wrap_socket(plain, server_hostname="127.0.0.1") as waiting:
            waiting.sendall(b"GET /api/v3/ping HTTP/1.1\r\nHost: api.coingecko.com\r\n\r\n")
            waiting.settimeout(0.3)
            with pytest.raises(TimeoutError):
                waiting.recv(1)
            assert service.terminate() == 0
