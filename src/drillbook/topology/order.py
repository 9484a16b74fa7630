"""In which order the services of a topology start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drillbook.topology.model import Topology


def start_order(topology: Topology) -> list[list[str]]:
    """Give the services in layers: those of one layer may start side by side, when all layers before are ready.

    Infrastructure comes before the apps, for setup runs between them; an app comes after its platform too. Within a
    layer the file's order holds. A loaded topology has no cycle; graphlib.CycleError for one made otherwise.
    """
    apps = topology.apps
    layers = _layers(dependencies(topology))
    infrastructure = [[name for name in layer if name not in apps] for layer in layers]
    released = [[name for name in layer if name in apps] for layer in layers]
    return [layer for layer in (*infrastructure, *released) if layer]


def dependencies(topology: Topology) -> dict[str, tuple[str, ...]]:
    """Give what each service waits for: its `depends_on`, and an app's platform."""
    platform = {name: (app.platform,) for name, app in topology.apps.items()}
    return {name: (*service.depends_on, *platform.get(name, ())) for name, service in topology.services.items()}


def cycle(graph: Mapping[str, Sequence[str]]) -> list[str]:
    """Give the names around one cycle, the first again at its end; empty if there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


def _layers(graph: Mapping[str, Sequence[str]]) -> list[list[str]]:
    place = {name: index for index, name in enumerate(graph)}
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    layers = []
    while sorter.is_active():
        ready = sorter.get_ready()
        sorter.done(*ready)
        layers.append(sorted(ready, key=lambda name: place[name]))
    return layers
