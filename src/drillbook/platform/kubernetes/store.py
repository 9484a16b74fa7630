"""The cluster's objects with their versions, and the history that watches read.

A resourceVersion never restarts lower, not even in a new process: it counts on from the wall clock's milliseconds.
A watch from before the kept history is told so with 410, as etcd's compaction does.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from drillbook.clock import SYSTEM_CLOCK
from drillbook.platform.kubernetes.errors import ApiError, not_found
from drillbook.platform.kubernetes.resources import RESOURCES

Json = dict[str, Any]
KEPT_CHANGES = 1000


@dataclass(frozen=True, slots=True)
class Key:
    """An object's place."""

    resource: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Change:
    """One change: ADDED, MODIFIED or DELETED. Objects are never altered after they are stored."""

    version: int
    type: str
    key: Key
    object: Json


class Store:
    """Objects by key."""

    def __init__(self) -> None:
        self.version = int(SYSTEM_CLOCK.wall().timestamp() * 1000)
        self._oldest = self.version
        self._objects: dict[Key, Json] = {}
        self._changes: deque[Change] = deque()
        self._watchers: set[asyncio.Queue[Change]] = set()

    def put(self, key: Key, found: Json) -> Json:
        """Store an object, give it as stored. Writing what is there already changes nothing, as in etcd."""
        old = self._objects.get(key)
        resource = RESOURCES[key.resource]
        metadata = {
            **found["metadata"],
            "uid": uid(key),
            "resourceVersion": old["metadata"]["resourceVersion"] if old else "",
        }
        new = {"apiVersion": resource.group_version, "kind": resource.kind, **found, "metadata": metadata}
        if new == old:
            return new
        self.version += 1
        metadata["resourceVersion"] = str(self.version)
        self._objects[key] = new
        self._emit(Change(self.version, "MODIFIED" if old else "ADDED", key, new))
        return new

    def delete(self, key: Key) -> None:
        """Remove an object."""
        old = self._objects.pop(key)
        self.version += 1
        last = {**old, "metadata": {**old["metadata"], "resourceVersion": str(self.version)}}
        self._emit(Change(self.version, "DELETED", key, last))

    def find(self, key: Key) -> Json | None:
        """Give an object, None if it is not there."""
        return self._objects.get(key)

    def get(self, key: Key) -> Json:
        """Give an object; raise ApiError 404."""
        if key not in self._objects:
            raise not_found(key.resource, RESOURCES[key.resource].group, key.name)
        return self._objects[key]

    def list(self, resource: str, namespace: str | None = None) -> list[Json]:
        """Give the objects of a resource by name, of one namespace or of all."""
        keys = [k for k in self._objects if k.resource == resource and namespace in (None, k.namespace)]
        return [self._objects[key] for key in sorted(keys, key=lambda k: (k.namespace, k.name))]

    async def watch(
        self, resource: str, since: int, seconds: float, accept: Callable[[Key, Json], bool]
    ) -> AsyncIterator[Change]:
        """Give the changes after version `since` (0: first all there is) for so many seconds."""
        queue: asyncio.Queue[Change] = asyncio.Queue()
        known = [Change(self.version, "ADDED", key, one) for key, one in self._objects.items()]
        for change in [c for c in self._changes if c.version > since] if since else known:
            queue.put_nowait(change)
        self._watchers.add(queue)
        try:
            async with asyncio.timeout(seconds):
                while True:
                    change = await queue.get()
                    if change.key.resource == resource and accept(change.key, change.object):
                        yield change
        except TimeoutError:
            return
        finally:
            self._watchers.discard(queue)

    def check_since(self, since: int) -> None:
        """Raise ApiError 410 when the history does not reach back to version `since`."""
        if 0 < since < self._oldest:
            raise ApiError(410, "Expired", f"too old resource version: {since} ({self._oldest})")

    def _emit(self, change: Change) -> None:
        self._changes.append(change)
        if len(self._changes) > KEPT_CHANGES:
            self._oldest = self._changes.popleft().version
        for queue in self._watchers:
            queue.put_nowait(change)


def uid(key: Key) -> str:
    """Give the uid of the object at a place, the same whenever it is asked for."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{key.resource}/{key.namespace}/{key.name}"))
