"""A pager that calls people, who pick up as they are configured to: after so many seconds, or never.

CONTACTS is the JSON of the environment's people: {"primary": {"name", "phone", "role", "acknowledges_after": seconds
or null}, …}. `PUT /behaviour` may also set {"acknowledges_after": {phone: seconds or null}, "clock_factor": number}:
with a factor of 60, a person's minute passes in a second.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from time import monotonic
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.serving import Listener, Twin, json_object, required, serve

RINGS_FOR = 25.0
"""Seconds after which a call that nobody takes ends: what networks usually allow."""


@dataclass(frozen=True, slots=True)
class Contact:
    """A person with a phone; `acknowledges_after` in seconds of that person's time, None for never."""

    name: str
    phone: str
    acknowledges_after: float | None


@dataclass(frozen=True, slots=True)
class Call:
    """A call that was placed at `placed` (monotonic seconds)."""

    id: str
    to: str
    name: str
    message: str
    placed: float


def read_contacts(text: str) -> dict[str, Contact]:
    """Read CONTACTS into phone -> Contact; raise SystemExit if it is not what it should be."""
    try:
        people = json.loads(text).values()
        contacts = [Contact(str(p["name"]), str(p["phone"]), _seconds(p["acknowledges_after"])) for p in people]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SystemExit(f"services.phone: CONTACTS is not the JSON of people.contacts: {error!r}") from None
    return {contact.phone: contact for contact in contacts}


def _seconds(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise ValueError(f"{value!r} is not a number of seconds")
    return float(value)


class Phone(Twin):
    """The phone network of the people on call."""

    def __init__(self, contacts: Mapping[str, Contact], clock_factor: float) -> None:
        super().__init__("phone")
        self._as_started = dict(contacts), clock_factor
        self.contacts, self.clock_factor = dict(contacts), clock_factor
        self.calls: dict[str, Call] = {}

    def configure(self, values: Mapping[str, Any]) -> None:
        """Take a behaviour; what it does not name is as it was at start."""
        rest = dict(values)
        contacts, factor = dict(self._as_started[0]), self._as_started[1]
        for phone, seconds in dict(rest.pop("acknowledges_after", {})).items():
            if phone not in contacts:
                raise ValueError(f"nobody has the number {phone}; known: {', '.join(contacts)}")
            contacts[phone] = replace(contacts[phone], acknowledges_after=_seconds(seconds))
        factor = float(rest.pop("clock_factor", factor))
        if factor <= 0:
            raise ValueError("clock_factor must be above 0")
        super().configure(rest)
        self.contacts, self.clock_factor = contacts, factor

    def shown_behaviour(self) -> dict[str, Any]:
        """Give the behaviour with everybody's way of picking up."""
        after = {phone: contact.acknowledges_after for phone, contact in self.contacts.items()}
        return {**super().shown_behaviour(), "acknowledges_after": after, "clock_factor": self.clock_factor}

    def reset(self) -> None:
        """Forget all calls; people are as configured at start."""
        super().reset()
        self.calls.clear()
        self.configure({})

    def status(self, call: Call) -> str:
        """Say how a call stands: ringing, acknowledged or no-answer."""
        waited = (monotonic() - call.placed) * self.clock_factor
        after = self.contacts[call.to].acknowledges_after
        if after is not None:
            return "acknowledged" if waited >= after else "ringing"
        return "no-answer" if waited >= RINGS_FOR else "ringing"

    def _shown(self, call: Call, status: str) -> dict[str, Any]:
        waited = (monotonic() - call.placed) * self.clock_factor
        after = self.contacts[call.to].acknowledges_after
        shown = asdict(call)
        del shown["placed"]
        if status == "acknowledged" and after is not None:
            waited = after
        return {**shown, "status": status, "waited": round(waited, 3), "clock_factor": self.clock_factor}

    async def place(self, request: Request) -> Response:
        """Call somebody: {"to", "message"} -> 201; 404 for a number that nobody has."""
        body = await json_object(request)
        to, message = str(body.get("to", "")), str(body.get("message", ""))
        if not to or not message:
            return JSONResponse({"error": "`to` and `message` are both needed"}, 422)
        contact = self.contacts.get(to)
        if contact is None:
            return JSONResponse({"error": f"the number {to} is not in service"}, 404)
        call = Call(f"call-{len(self.calls) + 1}", to, contact.name, message, monotonic())
        self.calls[call.id] = call
        self.deliver(to, message, call=call.id, name=contact.name)
        return JSONResponse(self._shown(call, "ringing"), 201)

    async def show(self, request: Request) -> Response:
        """Give a call as it stands now."""
        call = self.calls.get(request.path_params["id"])
        if call is None:
            return JSONResponse({"error": "no such call"}, 404)
        return JSONResponse(self._shown(call, self.status(call)))


if __name__ == "__main__":
    phone = Phone(read_contacts(required("CONTACTS")), float(os.environ.get("CLOCK_FACTOR", "1")))
    routes = [Route("/calls", phone.place, methods=["POST"]), Route("/calls/{id}", phone.show)]
    serve(Listener(phone.application(routes)))
