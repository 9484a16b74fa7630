"""References that lead nowhere, or stand where nothing resolves them, found before anything starts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import chain

from drillbook.topology.document import Data, Document, Step, mapping_at
from drillbook.topology.problem import Problem, nearest
from drillbook.topology.references import Reference, references

_GROUPS = ("secrets.", "links.", "people.", "state")


def check_references(document: Document) -> Iterator[Problem]:
    """Give every reference of a file that could not be resolved at start. Needs no valid topology, only YAML."""
    used: set[tuple[str, str]] = set()
    broken = False
    for path, text in document.texts():
        seen: Counter[str] = Counter()
        for reference in references(text):
            said = _defect(document.root.data, path, reference)
            nth = seen[reference.raw]
            seen[reference.raw] += 1
            if said:
                broken = True
                yield Problem(path, said[0], said[1], raw=reference.raw, nth=nth)
            elif reference.name.startswith("links."):
                used.add((str(path[1]), reference.name.split(".")[1]))
    if not broken:
        yield from _idle_links(document.root.data, used)


def _defect(data: Data, path: tuple[Step, ...], reference: Reference) -> tuple[str, str] | None:
    """Say what is wrong with a reference and how to mend it; None if nothing is."""
    known = _known(data, path)
    if known is None:
        ours = reference.name.startswith(_GROUPS)
        return (f"{reference.raw} is not resolved here", "write the value itself") if ours else None
    if not reference.closed:
        return f"{reference.raw} has no closing brace", "write ${name}"
    if path[-1] == "image":
        plain = reference.default is None
        return (f"{reference.raw} has no default", "write ${VARIABLE:-image}") if plain else None
    if reference.name in known and reference.default is None:
        return None
    return _lost(data, path, reference, known)


def _lost(data: Data, path: tuple[Step, ...], reference: Reference, known: list[str]) -> tuple[str, str]:
    if reference.default is not None:
        outer = "variables of the outer environment are for image names only"
        return f"{reference.raw}: {outer}", "use a secret: {env: NAME}"
    begins = mapping_at(data, reference.name.split(".")[:2]).get("from") if path[0] == "services" else None
    if begins and reference.name.startswith("links."):
        return f"{reference.raw} is a link that begins at {begins}, not here", f"declare a link from {path[1]}"
    return f"{reference.raw} refers to nothing", nearest(reference.name, known, "known here")


def _known(data: Data, path: tuple[Step, ...]) -> list[str] | None:
    """Give the names that may be referred to at a path; None where no reference is resolved at all."""
    secrets = [f"secrets.{name}" for name in mapping_at(data, ["secrets"])]
    match path:
        case ("services", str(service), "environment", str()):
            return [*secrets, *_links(data, service), "people.contacts", "state"]
        case ("services", str(), "password"):
            return secrets
        case ("services", str(), "image"):
            return []
        case ("operator", "variables", str()):
            return [*secrets, "people.contacts"]
    return None


def _links(data: Data, service: str) -> Iterator[str]:
    """Give the references to the links that begin at a service: another's would blame the wrong arrow."""
    names = (name for name in mapping_at(data, ["links"]) if mapping_at(data, ["links", name]).get("from") == service)
    return chain.from_iterable((f"links.{name}", f"links.{name}.host", f"links.{name}.port") for name in names)


def _idle_links(data: Data, used: set[tuple[str, str]]) -> Iterator[Problem]:
    for name in mapping_at(data, ["links"]):
        service = mapping_at(data, ["links", name]).get("from")
        if isinstance(service, str) and service in mapping_at(data, ["services"]) and (service, name) not in used:
            message = f"nothing in the environment of {service} refers to this link, so its traffic would go round it"
            yield Problem(("links", name), message, f"use ${{links.{name}}} there, or take the link out", key=True)
