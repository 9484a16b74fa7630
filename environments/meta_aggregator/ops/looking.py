"""How the diagnostics look: at all parts at once, each within its time, and every part is named in what is printed.

A look gives words about a part that is well, and raises Broken with words about one that is not. Nothing of a look is
waited for beyond its time, whatever it hangs on: a server that sends a byte now and then outlives every socket time-out.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from drillbook.clock import SYSTEM_CLOCK

SECONDS = float(os.environ.get("CHECK_SECONDS", "5"))
"""How long each part has to answer; the operator's variable CHECK_SECONDS."""


class Broken(Exception):
    """What is wrong with a part, in one line."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an HTTP server said."""

    status: int
    body: bytes
    retry_after: str = ""

    def json(self) -> dict[str, Any]:
        """Give the JSON object of the body; raise Broken if it is none."""
        try:
            found = json.loads(self.body)
        except ValueError:
            raise Broken(f"HTTP {self.status}, but the body is not JSON") from None
        if not isinstance(found, dict):
            raise Broken(f"HTTP {self.status}, but the body is not a JSON object")
        return found


def look_at(parts: Mapping[str, Callable[[], str]]) -> int:
    """Look at all parts at once, print a line for each in their order; give the exit code: 1 if one is broken."""
    found: dict[str, str] = {}
    broken: dict[str, str] = {}

    def look(name: str, part: Callable[[], str]) -> None:
        try:
            found[name] = part()
        except Broken as error:
            broken[name] = str(error)

    # Daemons, so that a look that hangs holds up neither the others nor the end.
    threads = {name: threading.Thread(target=look, args=(name, part), daemon=True) for name, part in parts.items()}
    for thread in threads.values():
        thread.start()
    ends = SYSTEM_CLOCK.now() + SECONDS
    for name, thread in threads.items():
        thread.join(max(0.0, ends - SYSTEM_CLOCK.now()))
        if name in found:
            print(f"{name}: up{', ' + found[name] if found[name] else ''}", flush=True)
        else:
            broken.setdefault(name, f"no answer within {SECONDS:g} s" if thread.is_alive() else "the look broke off")
            print(f"{name}: DOWN: {broken[name]}", flush=True)
    named = [name for name in parts if name in broken]
    print(f"BROKEN: {', '.join(named)}" if named else "all is well", flush=True)
    return 1 if broken else 0


def ask(url: str, headers: Mapping[str, str] | None = None, body: object = None) -> Answer:
    """GET a URL, or POST `body` to it as JSON; raise Broken without an answer."""
    parts = urlsplit(url)
    host, target = parts.hostname or "", (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection = (
        http.client.HTTPSConnection(host, parts.port, timeout=SECONDS, context=_trust())
        if parts.scheme == "https"
        else http.client.HTTPConnection(host, parts.port, timeout=SECONDS)
    )
    try:
        if body is None:
            connection.request("GET", target, headers=dict(headers or {}))
        else:
            content = json.dumps(body).encode()
            connection.request("POST", target, content, {"Content-Type": "application/json", **(headers or {})})
        answer = connection.getresponse()
        return Answer(answer.status, answer.read(), answer.getheader("Retry-After", ""))
    except TimeoutError:
        raise Broken(f"no answer within {SECONDS:g} s") from None
    except (OSError, http.client.HTTPException) as error:
        raise Broken(f"no answer: {one_line(error)}") from None
    finally:
        connection.close()


def rpc(url: str, method: str, *params: object) -> Any:
    """Call a method of a chain's node; raise Broken if it gives no result."""
    answer = ask(url, body={"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).json()
    if "result" not in answer:
        error = answer.get("error")
        raise Broken(f"{method}: {error.get('message') if isinstance(error, dict) else answer}")
    return answer["result"]


def one_line(error: BaseException) -> str:
    """Give an error's text on one line."""
    return " ".join(str(error).split()) or type(error).__name__


@cache
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context()
