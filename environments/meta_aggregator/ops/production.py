"""Where production is, for the maintenance procedures: its URLs, its database, its contract, its way to say what is wrong."""

from __future__ import annotations

import os
import ssl
from typing import Any

import httpx
import psycopg

FRONTEND = "https://metaaggregator.com"
API = "https://api.metaaggregator.com"
DATABASE = "production_db"
DEPLOYMENT = "meta-aggregator-api"

Connection = psycopg.Connection[tuple[Any, ...]]


def web(timeout: float = 5.0) -> httpx.Client:
    """Make a client that trusts what the operator's machine trusts; `timeout` in seconds for each request."""
    return httpx.Client(verify=ssl.create_default_context(), timeout=timeout, trust_env=False)


def database(name: str | None = None, seconds: float = 10.0) -> Connection:
    """Connect as psql does, autocommit, in UTC; no statement may take longer than `seconds`. Raises psycopg.Error."""
    options = f"-c timezone=UTC -c statement_timeout={int(seconds * 1000)}"
    return psycopg.connect(
        dbname=name or os.environ.get("PGDATABASE", DATABASE), connect_timeout=5, autocommit=True, options=options
    )


def one_line(error: BaseException) -> str:
    """Give an error's text on one line, its type where it has none."""
    return " ".join(str(error).split()) or type(error).__name__
