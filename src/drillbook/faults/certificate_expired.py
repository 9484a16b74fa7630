"""The certificate that a server presents has expired, as happens to whoever renews by hand: TLS clients turn away."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from drillbook.backends.base import Environment
from drillbook.clock import SYSTEM_CLOCK
from drillbook.errors import UnsupportedFault
from drillbook.faults.base import ActiveFault
from drillbook.faults.proof import proven
from drillbook.probes.http import tls_context

PORT = 443
EXPIRED = 10
"""X509_V_ERR_CERT_HAS_EXPIRED, <openssl/x509_vfy.h>: the chain leads to a trusted CA, but notAfter is past."""


@dataclass(frozen=True, slots=True)
class CertificateExpired:
    """Have the server behind `name` present a certificate that ran out `ago` seconds ago, of the authority that clients trust.

    Its processes are replaced, as a server reads its certificate at its start. All names of that server are struck.
    Healing has it present a valid one again, unless somebody has renewed it.
    """

    kind: ClassVar[str] = "certificate-expired"
    name: str
    ago: float = 3600.0

    @property
    def target(self) -> str:
        """The name."""
        return self.name

    def inject(self, environment: Environment) -> ActiveFault:
        """Present it, and see that a client refuses it for its age and for nothing else."""
        target = environment.topology.names.get(self.name, {}).get(PORT)
        if target is None:
            raise UnsupportedFault(f"nothing speaks TLS at {self.name}:{PORT}", mend="name one of the file's `names`")
        ends = SYSTEM_CLOCK.wall() - timedelta(seconds=self.ago)
        environment.present_certificate(target.service, not_after=ends)
        expired = _Expired(environment, target.service, self.name)
        return proven(expired, lambda: _refused(self.name) == EXPIRED, f"{self.name} is not refused as expired")


@dataclass(frozen=True, slots=True)
class _Expired:
    environment: Environment
    service: str
    name: str

    def heal(self) -> None:
        """Renew, if it is still the expired one."""
        if _refused(self.name) == EXPIRED:
            self.environment.present_certificate(self.service)


def _refused(name: str) -> int:
    """Give OpenSSL's reason for which a client refuses a name's certificate, 0 if it accepts it or nobody answers."""
    try:
        with socket.create_connection((name, PORT), timeout=2.0) as plain:
            plain.settimeout(2.0)
            tls_context().wrap_socket(plain, server_hostname=name).close()
    except ssl.SSLCertVerificationError as error:
        return error.verify_code
    except OSError:
        return 0
    return 0
