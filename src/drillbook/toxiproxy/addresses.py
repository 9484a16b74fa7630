"""`host:port` as Go's net package reads it, with its error texts: clients of Toxiproxy see both."""

from __future__ import annotations

import ipaddress
import os
import socket
from typing import Any, NamedTuple

from drillbook.errors import DrillbookError

ANY_HOST = ("", "0.0.0.0", "::")


class AddressError(DrillbookError):
    """Report an address that cannot be read or looked up, in Go's words."""


class Candidate(NamedTuple):
    """One way to reach an address: socket family and the address in that family's form."""

    family: int
    sockaddr: tuple[Any, ...]


def split(address: str) -> tuple[str, str]:
    """Split at the port's colon; brackets around IPv6 hosts. Raises AddressError (`net.SplitHostPort`)."""
    host, colon, port = address.rpartition(":")
    if address.startswith("["):
        end = address.find("]")
        if end < 0:
            raise AddressError(f"address {address}: missing ']' in address")
        if not address[end + 1 :].startswith(":"):
            raise AddressError(f"address {address}: missing port in address")
        host, port = address[1:end], address[end + 2 :]
    elif not colon:
        raise AddressError(f"address {address}: missing port in address")
    if ":" in port or (":" in host and not address.startswith("[")):
        raise AddressError(f"address {address}: too many colons in address")
    return host, port


def port_number(port: str) -> int:
    """Read a port's number or service name; empty is 0. Raises AddressError."""
    if not port or (port.isascii() and port.isdigit()):
        if int(port or "0") > 65535:
            raise AddressError(f"address {port}: invalid port")
        return int(port or "0")
    try:
        return socket.getservbyname(port, "tcp")
    except OSError:
        raise AddressError(f"lookup tcp/{port}: unknown port") from None


def is_literal(host: str) -> bool:
    """Whether a host needs no looking up."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def resolve(host: str, port: int) -> list[Candidate]:
    """Look a host up, IPv4 first as Go does; may block. Raises AddressError."""
    try:
        # Bytes, because a str would go through the idna codec, which refuses names before anything was asked.
        found = socket.getaddrinfo(host.encode() or b"localhost", port, type=socket.SOCK_STREAM)
    except OSError:
        raise AddressError(f"lookup {host}: no such host") from None
    return sorted((Candidate(family, sockaddr) for family, _, _, _, sockaddr in found), key=lambda one: one.family)


def resolve_listen(address: str) -> str:
    """Give the address that listening on `address` would mean, as text (`net.ResolveTCPAddr`). Raises AddressError."""
    host, port = split(address) if address else ("", "")
    number = port_number(port)
    if not host:
        return f":{number}"
    return join(resolve(host, number)[0].sockaddr)


def join(sockaddr: tuple[Any, ...]) -> str:
    """Write a socket address as `host:port`, IPv6 hosts in brackets."""
    host, port = sockaddr[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def listen_candidate(address: str) -> Candidate:
    """Find where to listen (empty: any port of all interfaces); may block for a look-up. Raises AddressError."""
    host, port = split(address) if address else ("", "")
    number = port_number(port)
    if host in ANY_HOST:
        return Candidate(socket.AF_INET6, ("::", number))
    return resolve(host, number)[0]


def listen(where: Candidate) -> socket.socket:
    """Open a listening socket, on IPv4 as well where that is all interfaces. Raises AddressError."""
    family, sockaddr = where
    if family == socket.AF_INET6 and sockaddr[0] == "::" and not socket.has_dualstack_ipv6():
        family, sockaddr = socket.AF_INET, ("0.0.0.0", sockaddr[1])
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, sockaddr[0] != "::")
        sock.bind(sockaddr)
        sock.listen(4096)
    except OSError as error:
        sock.close()
        reason = os.strerror(error.errno or 0).lower()
        raise AddressError(f"listen tcp {join(sockaddr)}: bind: {reason}") from None
    sock.setblocking(False)
    return sock
