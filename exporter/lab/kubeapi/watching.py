"""Which objects a request selects, and the lines in which a watch tells of their changes."""

from __future__ import annotations

import json
from collections.abc import Mapping

from exporter.lab.kubeapi.words import RESOURCES, Change, Json, Request


def event_line(kind: str, obj: Json) -> bytes:
    return json.dumps({"type": kind, "object": obj}).encode() + b"\n"


def bookmark_line(request: Request, seen: int) -> bytes:
    spec = RESOURCES[request.resource]
    meta = {"resourceVersion": str(seen), "creationTimestamp": None}
    return event_line("BOOKMARK", {"kind": spec.kind, "apiVersion": spec.api, "metadata": meta})


def told(request: Request, change: Change) -> bytes:
    """What a watch hears of a change; empty: nothing. An object that leaves the selection counts as deleted."""
    if change.resource != request.resource:
        return b""
    before = change.before if change.before and selects(request, change.before) else None
    after = change.after if change.after and selects(request, change.after) else None
    if after is not None:
        return event_line("MODIFIED" if before is not None else "ADDED", after)
    return event_line("DELETED", before) if before is not None else b""


def selects(request: Request, obj: Json) -> bool:
    """Whether an object is in the request's namespace and passes its selectors (terms `a=b` and `a!=b` only)."""
    meta = obj["metadata"]
    if request.namespace and meta.get("namespace") != request.namespace:
        return False
    fields = {f"metadata.{key}": meta.get(key, "") for key in ("name", "namespace")}
    labels = meta.get("labels") or {}
    return all(
        _passes(request.query.get(selector, ""), values)
        for selector, values in (("fieldSelector", fields), ("labelSelector", labels))
    )


def _passes(selector: str, values: Mapping[str, object]) -> bool:
    for term in filter(None, selector.split(",")):
        key, _, wanted = term.partition("=")
        positive = not key.endswith("!")
        if (values.get(key.removesuffix("!")) == wanted.removeprefix("=")) != positive:
            return False
    return True
