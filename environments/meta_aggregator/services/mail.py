"""A mail server that delivers everything to one inbox: SMTP with STARTTLS on one port, the inbox on another."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from aiosmtpd.smtp import SMTP, Envelope, Session
from starlette.applications import Starlette

from services.serving import Listener, Mode, Twin, required, serve


class Mail(Twin):
    """Receives mail, and refuses or delays it as its behaviour asks; handle_* are aiosmtpd's hooks."""

    async def handle_RCPT(  # noqa: N802 (aiosmtpd's name)
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take any recipient in peace."""
        match self.behaviour.mode:
            case Mode.ERROR | Mode.GARBAGE:
                return "451 4.3.0 Requested action aborted: local error in processing"
            case Mode.RATE_LIMITED:
                return "452 4.5.3 Too many recipients, try again later"
            case Mode.SLOW:
                await asyncio.sleep(self.behaviour.delay)
            case Mode.HANG:
                await asyncio.Event().wait()
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Deliver to each recipient."""
        content = envelope.content
        raw = content if isinstance(content, bytes) else (content or "").encode()
        message = message_from_bytes(raw, policy=default)
        details = {"subject": str(message["subject"] or ""), "from": envelope.mail_from or ""}
        for recipient in envelope.rcpt_tos:
            self.deliver(recipient, _text(message), **details)
        return "250 2.0.0 Message accepted for delivery"

    @asynccontextmanager
    async def listening(self, _application: Starlette) -> AsyncIterator[None]:
        """Serve SMTP as long as the inbox is served."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(required("TLS_CERT_FILE"), required("TLS_KEY_FILE"))
        loop = asyncio.get_running_loop()

        def protocol() -> SMTP:
            return SMTP(self, hostname="mail", ident="ESMTP", tls_context=context, loop=loop, enable_SMTPUTF8=True)

        server = await loop.create_server(protocol, required("HOST"), int(required("PORT_SMTP")))
        async with server:
            yield
            server.close()


def _text(message: EmailMessage) -> str:
    part = message.get_body(("plain", "html"))
    return str(part.get_content()).strip() if part is not None else ""


if __name__ == "__main__":
    mail = Mail("smtp")
    serve(Listener(mail.application([], mail.listening), port="http", tls=False))
