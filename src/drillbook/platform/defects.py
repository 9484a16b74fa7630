"""What a bad release runs: a program that is as broken as the release is said to be.

`answers-500` answers every request so; `hangs` accepts and never answers; `exits` ends with status 1 after a moment;
`stalls` never gets as far as listening.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from collections.abc import Awaitable, Callable

from drillbook.platform.releases import Defect

EXIT_AFTER = 0.2
_Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
_BODY = b'{"error": "internal server error"}'
_ANSWER = (
    b"HTTP/1.1 500 Internal Server Error\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\nconnection: close\r\n\r\n%s" % (len(_BODY), _BODY)
)


async def answer_500(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read one request's head, answer 500, close."""
    try:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(_ANSWER)
        await writer.drain()
        writer.close()
        await writer.wait_closed()
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        writer.transport.abort()


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Keep the connection until its client gives up; never answer."""
    try:
        while await reader.read(65536):
            pass
    except OSError:
        pass  # the client gave up first: nothing to answer, as promised
    writer.transport.abort()


async def serve(defect: Defect) -> None:
    """Listen on every PORT_<NAME>; TLS on the one named https, unless the release hangs (no handshake either)."""
    handler: _Handler = answer_500 if defect is Defect.ANSWERS_500 else hang
    for name, value in os.environ.items():
        if name.startswith("PORT_"):
            context = _tls() if name == "PORT_HTTPS" and defect is Defect.ANSWERS_500 else None
            await asyncio.start_server(handler, os.environ["HOST"], int(value), ssl=context)
    await asyncio.Event().wait()


def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(os.environ["TLS_CERT_FILE"], os.environ["TLS_KEY_FILE"])
    return context


async def exit_soon() -> None:
    """Fail as a release does that lacks a setting."""
    await asyncio.sleep(EXIT_AFTER)
    sys.exit("this release cannot start: a required setting is missing")


async def stall() -> None:
    """Start and wait for something that never comes, as for a lock that another release holds."""
    await asyncio.Event().wait()


if __name__ == "__main__":
    wanted = Defect(sys.argv[1])
    early = {Defect.EXITS: exit_soon, Defect.STALLS: stall}
    asyncio.run(early[wanted]() if wanted in early else serve(wanted))
