"""Look at the core services: frontend, API, database, chain and escrow contract, each from the operator's own place.

Outside APIs are none of them: without 0x or CoinGecko orders are still taken, and the API's line says what it does without.
Run as `python -m ops.health_check`. Exit 0: all are up; 1: one is not, and it is named.
"""

from __future__ import annotations

import os
import sys

from ops.check_contract_interaction import newest_block, running_escrow
from ops.check_db_connection import answers_queries
from ops.looking import Broken, ask, look_at

SITE = "https://metaaggregator.com/"
FRONTEND = "https://metaaggregator.com/api/health"
API = "https://api.metaaggregator.com/health"
CALLED = {"zeroex": "0x", "coingecko": "CoinGecko"}
"""What people call the API's dependencies, where the API calls them otherwise."""


def frontend() -> str:
    """See that the site's page comes, and that the site reaches the API."""
    page = ask(SITE)
    if page.status != 200 or b"Meta Aggregator" not in page.body:
        raise Broken(f"HTTP {page.status}, and not the site's page")
    answer = ask(FRONTEND)
    body = answer.json()
    if answer.status != 200:
        raise Broken(f"HTTP {answer.status}")
    if body.get("status") not in ("ok", "degraded"):
        raise Broken(f"it says that it is {body.get('status')!r}")
    if body.get("api") not in ("ok", "degraded"):
        raise Broken("it answers, but does not get through to the API, or the API is down")
    return ""


def api() -> str:
    """See that the API takes orders; say which of its dependencies it misses."""
    answer = ask(API)
    body = answer.json()
    missing = _missing(body)
    if body.get("status") == "degraded" and answer.status == 200:
        return f"without {missing}"
    if body.get("status") != "ok" or answer.status != 200:
        raise Broken(f"HTTP {answer.status}: it misses {missing}" if missing else f"HTTP {answer.status}")
    return ""


def _missing(body: dict[str, object]) -> str:
    """Name the dependencies that do not answer the API, each with what it said."""
    found = body.get("dependencies")
    dependencies = found if isinstance(found, dict) else {}
    return "; ".join(
        f"{CALLED.get(name, name)} ({dependency.get('error') or dependency.get('status')})"
        for name, dependency in dependencies.items()
        if isinstance(dependency, dict) and dependency.get("status") != "ok"
    )


def main() -> int:
    """Look at all of them at once."""
    url = os.environ["CHAIN_URL"]
    return look_at(
        {
            "frontend": frontend,
            "API": api,
            "database": answers_queries,
            "chain": lambda: newest_block(url),
            "escrow": lambda: running_escrow(url),
        }
    )


if __name__ == "__main__":
    sys.exit(main())
