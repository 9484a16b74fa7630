"""A tiny HTTP(S) server to be probed, frozen and killed, as a program of its own.

`python probed_server.py READY_FILE [CERTIFICATE KEY]` answers every GET with 200 and `{"status": "ok"}`
and writes its port to READY_FILE once it listens.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from pathlib import Path

ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 16\r\nConnection: close\r\n\r\n"
    b'{"status": "ok"}'
)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read one request, answer it, hang up."""
    try:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWER)
        await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        return
    finally:
        writer.close()


async def serve(ready: Path, certificate: list[str]) -> None:
    """Serve on a free loopback port until ended."""
    context = None
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*certificate)
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context, backlog=2048)
    unfinished = ready.with_suffix(".part")
    unfinished.write_text(str(server.sockets[0].getsockname()[1]))
    unfinished.rename(ready)  # whole or not at all: the reader polls
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), sys.argv[2:]))
