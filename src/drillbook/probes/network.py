"""How a failed connection is put into words, so that every probe says the same thing of the same fault."""

from __future__ import annotations

import socket
import ssl


def describe(error: OSError, peer: str) -> str:
    """Say in one line why talking to `peer` (host:port) failed."""
    match error:
        case ssl.SSLCertVerificationError():
            text = f"TLS certificate of {peer} refused: {error.verify_message}"
        case ssl.SSLError():
            text = f"TLS handshake with {peer} failed: {error.reason or error}"
        case socket.gaierror():
            text = f"name of {peer} does not resolve"
        case ConnectionRefusedError():
            text = f"connection refused by {peer}"
        case ConnectionResetError() | BrokenPipeError() | ConnectionAbortedError():
            text = f"connection reset by {peer}"
        case TimeoutError():
            text = f"connection to {peer} timed out in the network"
        case _:
            text = f"connection to {peer} failed: {error.strerror or error}"
    return text


def timed_out(timeout: float) -> str:
    """Say that a look took longer than its `timeout` seconds."""
    return f"timed out after {timeout:.3g} s" if timeout % 1 else f"timed out after {timeout:.1f} s"


def one_line(text: object, limit: int = 200) -> str:
    """Fold white space and cut at `limit` characters."""
    line = " ".join(str(text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
