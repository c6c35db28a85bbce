"""What a request to the emulator asks for, what it may, and how it can go wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Resource:
    api: str
    kind: str
    namespaced: bool = True


RESOURCES: Mapping[str, Resource] = {
    "services": Resource("v1", "Service"),
    "nodes": Resource("v1", "Node", namespaced=False),
    "configmaps": Resource("v1", "ConfigMap"),
    "leases": Resource("coordination.k8s.io/v1", "Lease"),
    "daemonsets": Resource("apps/v1", "DaemonSet"),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One permission, read as RBAC reads it. Empty fields permit everything."""

    resource: str = ""
    verbs: tuple[str, ...] = ("get", "list", "watch")
    namespace: str = ""
    names: tuple[str, ...] = ()
    """Like resourceNames: list and watch then need a field selector that pins one of these names."""


class Flaw(StrEnum):
    """How a request can go wrong."""

    STATUS = "status"
    """Answer with `Fault.status`."""
    RESET = "reset"
    """Reset the connection instead of answering."""
    SILENT = "silent"
    """Accept the request and say nothing until healed. With `times` None, watches already open fall silent too."""
    SLOW = "slow"
    """Answer rightly, `Fault.seconds` late."""
    RAW = "raw"
    """Answer 200 with the bytes of `Fault.body`, then end. Empty: a watch that ends at once."""


@dataclass(slots=True, kw_only=True)
class Fault:
    """A flaw, the requests it befalls (empty: all) and how many of them (None: until healed)."""

    flaw: Flaw
    verb: str = ""
    resource: str = ""
    times: int | None = None
    status: int = 500
    seconds: float = 1.0
    body: bytes = b""

    def befalls(self, request: Request) -> bool:
        return self.verb in ("", request.verb) and self.resource in ("", request.resource)


class Ending(StrEnum):
    """How an open watch can end early."""

    PROPER = "proper"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it was understood, before anything was decided on it."""

    verb: str
    resource: str
    namespace: str
    name: str
    query: Mapping[str, str]

    @property
    def pinned(self) -> str:
        """The one object that the request can be about; empty: any."""
        pins = re.findall(r"(?:^|,)metadata\.name==?([^,]+)", self.query.get("fieldSelector", ""))
        return self.name or (pins[0] if pins else "")


@dataclass(frozen=True, slots=True)
class Change:
    version: int
    resource: str
    before: Json | None
    after: Json | None


class RefusedError(Exception):
    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status: Json = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "code": code,
            "reason": reason,
            "message": message,
        }


def understand(target: str) -> Request:
    """Read a path of the API: /api/v1/… or /apis/GROUP/VERSION/…"""
    url = urlsplit(target)
    query = {key: values[-1] for key, values in parse_qs(url.query).items()}
    match = re.fullmatch(
        r"/apis?/(?P<api>v1|[^/]+/[^/]+)(/namespaces/(?P<ns>[^/]+))?/(?P<res>[^/]+)(/(?P<name>[^/]+))?", url.path
    )
    spec = RESOURCES.get(match["res"]) if match else None
    if match is None or spec is None or spec.api != match["api"]:
        raise RefusedError(404, "NotFound", "the server could not find the requested resource")
    for term in filter(None, query.get("fieldSelector", "").split(",")):
        if not re.match(r"metadata\.name(space)?!?=", term):
            raise RefusedError(400, "BadRequest", f"field label not supported: {term}")
    watch = is_set(query, "watch")
    verb = "get" if match["name"] else "watch" if watch else "list"
    return Request(verb, match["res"], match["ns"] or "", match["name"] or "", query)


def is_set(query: Mapping[str, str], key: str) -> bool:
    """A flag of a query as Kubernetes reads it: anything but 0 and false; clients write true, True and 1."""
    return query.get(key, "false").lower() not in ("false", "0")
