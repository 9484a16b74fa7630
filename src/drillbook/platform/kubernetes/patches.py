"""The three patch formats that kubectl sends: JSON patch (RFC 6902), merge patch (RFC 7386), strategic merge patch."""

from __future__ import annotations

import copy
from typing import Any

from drillbook.platform.kubernetes.errors import ApiError

MEDIA_TYPES = ("application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json")
MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "volumes": "name",
    "ports": "containerPort",
    "volumeMounts": "mountPath",
    "conditions": "type",
}
"""The field by which a strategic merge tells the items of a list apart (patchMergeKey in the API's types)."""


def apply_patch(document: Any, patch: Any, media_type: str) -> Any:
    """Give the patched document; the given one is left alone. Raises ApiError 415, 400 or 422."""
    if media_type not in MEDIA_TYPES:
        raise ApiError(
            415,
            "UnsupportedMediaType",
            "the body of the request was in an unknown format - accepted media types include: "
            + ", ".join(MEDIA_TYPES),
        )
    if media_type == MEDIA_TYPES[0]:
        return _json_patch(document, patch)
    return _merge(document, patch, strategic=media_type == MEDIA_TYPES[2])


def _merge(target: Any, patch: Any, *, strategic: bool) -> Any:
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif strategic and key.startswith("$"):
            continue  # directives such as $setElementOrder only order what is merged here
        elif strategic and key in MERGE_KEYS and isinstance(value, list):
            merged[key] = _merge_list(merged.get(key) or [], value, MERGE_KEYS[key])
        else:
            merged[key] = _merge(merged.get(key), value, strategic=strategic)
    return merged


def _merge_list(items: list[Any], patches: list[Any], key: str) -> list[Any]:
    merged = {item.get(key): item for item in items}
    for patch in patches:
        if patch.get("$patch") == "delete":
            merged.pop(patch.get(key), None)
        else:
            merged[patch.get(key)] = _merge(merged.get(patch.get(key)), patch, strategic=True)
    return list(merged.values())


def _json_patch(document: Any, operations: Any) -> Any:
    patched = copy.deepcopy(document)
    if not isinstance(operations, list):
        raise ApiError(400, "BadRequest", "error decoding patch: a JSON patch is a list of operations")
    for operation in operations:
        try:
            _apply(patched, operation)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise ApiError(
                422, "Invalid", f"the server rejected our request due to an error in our request: {error}"
            ) from error
    return patched


def _apply(document: Any, operation: dict[str, Any]) -> None:
    *path, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].lstrip("/").split("/")]
    target = document
    for part in path:
        target = target[int(part)] if isinstance(target, list) else target[part]
    place: Any = (len(target) if last == "-" else int(last)) if isinstance(target, list) else last
    kind = operation["op"]
    if kind == "add" and isinstance(target, list):
        target.insert(place, operation["value"])
    elif kind in ("add", "replace"):
        target[place] = operation["value"]
    elif kind == "remove":
        del target[place]
    elif kind == "test":
        if target[place] != operation["value"]:
            raise ValueError(f"testing path {operation['path']} failed")
    else:
        raise ValueError(f"unexpected operation {kind}")
