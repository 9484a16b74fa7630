"""One health request to one instance, and what came of it: the platform's kubelet asks this of every process."""

from __future__ import annotations

import asyncio
import ssl
from enum import Enum

from drillbook.platform.config import Endpoint, HealthCheck


class Health(Enum):
    """The outcome of a health request."""

    READY = "answered 2xx"
    UNHEALTHY = "is there, but did not answer 2xx in time"
    SILENT = "accepted, but neither answered nor finished a TLS handshake"
    REFUSED = "does not listen"


def _unverified() -> ssl.SSLContext:
    # As kubelet's HTTPS probes: the address is known to be ours, the name on the certificate is production's.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


_CONTEXT = _unverified()


async def check(endpoint: Endpoint, health: HealthCheck, timeout: float) -> Health:
    """Ask once, within `timeout` seconds. A TLS handshake tells a slow process from a frozen one."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    context = _CONTEXT if health.scheme == "https" else None
    try:
        async with asyncio.timeout_at(deadline):
            reader, writer = await asyncio.open_connection(endpoint.host, endpoint.port, ssl=context)
    except ConnectionRefusedError:
        return Health.REFUSED
    except OSError:  # includes TimeoutError and ssl.SSLError
        return Health.SILENT
    try:
        async with asyncio.timeout_at(deadline):
            return await _ask(reader, writer, endpoint, health)
    except TimeoutError:
        return Health.UNHEALTHY if context else Health.SILENT
    except OSError:
        return Health.UNHEALTHY
    finally:
        writer.transport.abort()


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, endpoint: Endpoint, health: HealthCheck
) -> Health:
    request = (
        f"GET {health.path} HTTP/1.1\r\nHost: {endpoint.host}\r\nUser-Agent: kube-probe\r\nConnection: close\r\n\r\n"
    )
    writer.write(request.encode())
    status = (await reader.readline()).split()
    return Health.READY if len(status) > 1 and status[1].startswith(b"2") else Health.UNHEALTHY
