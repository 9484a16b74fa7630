"""A public status page in the manner of Statuspage: incidents are written by API, and read as JSON or HTML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from html import escape
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from drillbook.clock import SYSTEM_CLOCK, rfc3339
from services.serving import Listener, Twin, json_object, serve

STATES = ("investigating", "identified", "monitoring", "resolved")
IMPACTS = ("none", "minor", "major", "critical")
DESCRIPTIONS = {
    "none": "All Systems Operational",
    "minor": "Minor Service Outage",
    "major": "Partial System Outage",
    "critical": "Major Service Outage",
}


@dataclass(frozen=True, slots=True)
class Update:
    """One thing said about an incident."""

    status: str
    body: str
    created_at: str


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident as the page's API shows it; times are RFC 3339."""

    id: str
    name: str
    status: str
    impact: str
    created_at: str
    updated_at: str
    resolved_at: str | None
    incident_updates: tuple[Update, ...] = ()

    def changed(self, values: Mapping[str, Any]) -> Incident:
        """Give the incident after an update."""
        now = rfc3339(SYSTEM_CLOCK.wall())
        status = str(values.get("status", self.status))
        return replace(
            self,
            name=str(values.get("name", self.name)),
            status=status,
            impact=str(values.get("impact", self.impact)),
            updated_at=now,
            resolved_at=now if status == "resolved" else None,
            incident_updates=(Update(status, str(values.get("body", "")), now), *self.incident_updates),
        )


def _problem(values: Mapping[str, Any]) -> str:
    if values.get("status", STATES[0]) not in STATES:
        return f"status must be one of {', '.join(STATES)}"
    if values.get("impact", IMPACTS[0]) not in IMPACTS:
        return f"impact must be one of {', '.join(IMPACTS)}"
    return ""


class StatusPage(Twin):
    """The page and its incidents, newest first."""

    def __init__(self) -> None:
        super().__init__("status")
        self.incidents: dict[str, Incident] = {}

    def reset(self) -> None:
        """Forget every incident."""
        super().reset()
        self.incidents.clear()

    def indicator(self) -> str:
        """Give the worst impact of what is not resolved."""
        unresolved = [i.impact for i in self.incidents.values() if i.status != "resolved"]
        return max(unresolved, key=IMPACTS.index, default="none")

    def _page(self) -> dict[str, Any]:
        updated = max((i.updated_at for i in self.incidents.values()), default=None)
        return {"name": "Meta Aggregator", "url": "https://status.metaaggregator.com", "updated_at": updated}

    def _publish(self, incident: Incident, status_code: int) -> Response:
        self.incidents[incident.id] = incident
        latest = incident.incident_updates[0]
        text = f"{incident.name}: {latest.body}" if latest.body else incident.name
        self.deliver("public", text, incident=incident.id, status=incident.status, impact=incident.impact)
        return JSONResponse(asdict(incident), status_code)

    async def create(self, request: Request) -> Response:
        """Open an incident: {"incident": {"name", "status", "impact", "body"}} (or flat) -> 201."""
        body = await json_object(request)
        values = body.get("incident", body)
        if not isinstance(values, dict) or not values.get("name"):
            return JSONResponse({"error": "an incident needs a name"}, 422)
        if _problem(values):
            return JSONResponse({"error": _problem(values)}, 422)
        now = rfc3339(SYSTEM_CLOCK.wall())
        empty = Incident(f"incident-{len(self.incidents) + 1}", "", STATES[0], "minor", now, now, None)
        return self._publish(empty.changed(values), 201)

    async def update(self, request: Request) -> Response:
        """Change an incident or add to it."""
        incident = self.incidents.get(request.path_params["id"])
        if incident is None:
            return JSONResponse({"error": "not found"}, 404)
        body = await json_object(request)
        values = body.get("incident", body)
        problem = _problem(values) if isinstance(values, dict) else "`incident` must be an object"
        return JSONResponse({"error": problem}, 422) if problem else self._publish(incident.changed(values), 200)

    async def status(self, _: Request) -> Response:
        """Serve /api/v2/status.json."""
        indicator = self.indicator()
        status = {"indicator": indicator, "description": DESCRIPTIONS[indicator]}
        return JSONResponse({"page": self._page(), "status": status})

    async def list_incidents(self, _: Request) -> Response:
        """Serve /api/v2/incidents.json, newest first."""
        newest_first = [asdict(incident) for incident in reversed(self.incidents.values())]
        return JSONResponse({"page": self._page(), "incidents": newest_first})

    async def html(self, _: Request) -> Response:
        """Serve the page that customers read."""
        items = "".join(
            f"<h2>{escape(i.name)}</h2>"
            + "".join(
                f"<p><b>{escape(u.status)}</b> {escape(u.body)} <time>{u.created_at}</time></p>"
                for u in i.incident_updates
            )
            for i in reversed(self.incidents.values())
        )
        return HTMLResponse(
            "<!doctype html><html lang=en><meta charset=utf-8><title>Meta Aggregator Status</title>"
            "<style>body{font:16px/1.5 system-ui;max-width:42rem;margin:3rem auto}time{color:#777}</style>"
            f"<h1>{DESCRIPTIONS[self.indicator()]}</h1>{items or '<p>No incidents reported.</p>'}</html>"
        )


if __name__ == "__main__":
    page = StatusPage()
    routes = [
        Route("/", page.html),
        Route("/api/v1/incidents", page.create, methods=["POST"]),
        Route("/api/v1/incidents/{id}", page.update, methods=["PATCH"]),
        Route("/api/v2/status.json", page.status),
        Route("/api/v2/incidents.json", page.list_incidents),
    ]
    serve(Listener(page.application(routes)))
