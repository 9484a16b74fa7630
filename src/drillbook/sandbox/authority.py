"""The run's throw-away certificate authority: made inside the sandbox, trusted only there, gone with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import trustme


@dataclass(frozen=True, slots=True)
class Certificate:
    """A server's certificate chain and its key, as PEM files."""

    cert_file: Path
    key_file: Path


class Authority:
    """Issues certificates for names of production that hold only where its own bundle is trusted."""

    def __init__(self, bundle: Path) -> None:
        """Make a CA and write it as the one trusted certificate of `bundle`."""
        self._ca = trustme.CA(organization_name="Drillbook throw-away CA")
        self.bundle = bundle
        bundle.write_bytes(self._ca.cert_pem.bytes())

    def issue(self, folder: Path, identities: Iterable[str], not_after: datetime | None = None) -> Certificate:
        """Write `tls.crt` and `tls.key` for hostnames and addresses into a folder; `not_after` may be past."""
        issued = self._ca.issue_cert(*identities, not_after=not_after)
        made = Certificate(folder / "tls.crt", folder / "tls.key")
        made.cert_file.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        made.key_file.touch(mode=0o600)
        made.key_file.write_bytes(issued.private_key_pem.bytes())
        return made
