"""A Kubernetes API server in miniature, on loopback: what the demo's cluster and the tests' broken ones are made of.

It answers get, list and watch over HTTP as the real one does where a reader can tell the difference (resource
versions, bookmarks, 410, selectors, tokens, RBAC). It is written to from Python only: every write over HTTP is
refused and remembered, so that a test can show that none was tried. It never listens beyond 127.0.0.1.
"""

from __future__ import annotations

import json
import os
import re
import select
import socket
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]

HISTORY = 1000
"""Changes that a watch can catch up on; older ones answer 410, as after a compaction."""


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


class KubeAPI:
    """The server and its objects. A stopped one keeps its objects and can be started again on the same port.

    Args:
        token: the bearer token that every request must carry; None: none is asked for. May be changed while running.
        rules: what the token's bearer may do; None: everything.
        bookmark_seconds: how often a quiet watch gets a bookmark (a real server: about once a minute).
        port: 0 for a free one.
    """

    def __init__(
        self,
        *,
        token: str | None = None,
        rules: Sequence[Rule] | None = None,
        bookmark_seconds: float = 60.0,
        port: int = 0,
    ) -> None:
        self.token = token
        self.rules = rules
        self.bookmark_seconds = bookmark_seconds
        self.requests: deque[Request] = deque(maxlen=10_000)
        self.writes: list[str] = []
        """Method and path of every write that was tried over HTTP."""
        self._port = port
        self._server: _Server | None = None
        self._changed = threading.Condition()
        self._objects: dict[tuple[str, str, str], Json] = {}
        self._history: deque[Change] = deque()
        self._version = 1000
        self._compacted = 0
        self._faults: list[Fault] = []
        self._watches = 0
        self._interrupts: list[tuple[bytes, Ending | None]] = []

    # --- running -------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> str:
        """Listen, and return the base URL."""
        self._server = _Server(self, self._port)
        self._port = self._server.server_address[1]
        serve = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="kubeapi", daemon=True)
        serve.start()
        return self.url

    def stop(self) -> None:
        """Close the port and every connection."""
        server, self._server = self._server, None
        if server is None:
            return
        server.shutdown()
        server.server_close()
        server.disconnect()
        with self._changed:
            self._changed.notify_all()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def write_kubeconfig(self, path: Path, *, token_file: Path | None = None) -> Path:
        """Write a kubeconfig for this server, readable by its owner only.

        Args:
            path: the file to write.
            token_file: name this file in it, rather than the token itself.
        """
        user = {"tokenFile": str(token_file)} if token_file else {"token": self.token} if self.token else {}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "lab",
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab"}}],
            "clusters": [{"name": "lab", "cluster": {"server": self.url}}],
            "users": [{"name": "lab", "user": user}],
        }
        path.touch(mode=0o600)
        path.write_text(json.dumps(content, indent=2), encoding="utf-8")
        return path

    # --- objects -------------------------------------------------------------------------------------------------

    def apply(self, resource: str, obj: Mapping[str, Any]) -> Json:
        """Create or replace an object, and return it as stored. One that changes nothing makes no new version."""
        spec = RESOURCES[resource]
        new: Json = json.loads(json.dumps(obj))
        meta = new.setdefault("metadata", {})
        if spec.namespaced:
            meta.setdefault("namespace", "default")
        new = {"apiVersion": spec.api, "kind": spec.kind} | new
        key = (resource, meta["namespace"] if spec.namespaced else "", meta["name"])
        with self._changed:
            old = self._objects.get(key)
            if old is not None:
                meta["resourceVersion"] = old["metadata"]["resourceVersion"]
                if new == old:
                    return old
            self._objects[key] = new
            self._record(resource, old, new)
            return new

    def annotate(self, resource: str, namespace: str, name: str, annotations: Mapping[str, str | None]) -> Json:
        """Set annotations of an object that exists (None removes one)."""
        with self._changed:
            new: Json = json.loads(json.dumps(self._objects[(resource, namespace, name)]))
            merged = new["metadata"].get("annotations", {}) | annotations
            new["metadata"]["annotations"] = {key: value for key, value in merged.items() if value is not None}
            return self.apply(resource, new)

    def delete(self, resource: str, namespace: str, name: str) -> None:
        """Remove an object (namespace empty for nodes). Raises KeyError where there is none."""
        with self._changed:
            old = self._objects.pop((resource, namespace, name))
            last: Json = json.loads(json.dumps(old))
            self._record(resource, last, None)

    def compact(self) -> None:
        """Forget the history: a watch from any version but the newest answers 410."""
        with self._changed:
            # A version that no object has, as in a real store that other resources write to.
            self._version += 1
            self._compacted = self._version
            self._history.clear()

    def _record(self, resource: str, before: Json | None, after: Json | None) -> None:
        self._version += 1
        touched = after if after is not None else before
        assert touched is not None
        touched["metadata"]["resourceVersion"] = str(self._version)
        self._history.append(Change(self._version, resource, before, after))
        if len(self._history) > HISTORY:
            self._compacted = self._history.popleft().version
        self._changed.notify_all()

    # --- faults --------------------------------------------------------------------------------------------------

    def inject(self, fault: Fault) -> None:
        with self._changed:
            self._faults.append(fault)
            self._changed.notify_all()

    def heal(self) -> None:
        """Take every fault back."""
        with self._changed:
            self._faults.clear()
            self._changed.notify_all()

    def interrupt_watches(self, line: bytes = b"", ending: Ending | None = None) -> None:
        """Send these bytes (a line feed is not added) to every open watch; then end it, or let it go on."""
        with self._changed:
            self._interrupts.append((line, ending))
            self._changed.notify_all()

    @property
    def open_watches(self) -> int:
        return self._watches

    def take_fault(self, request: Request) -> Fault | None:
        """The fault that befalls this request, counted as used."""
        with self._changed:
            for fault in self._faults:
                if fault.times != 0 and fault.befalls(request):
                    if fault.times is not None:
                        fault.times -= 1
                    return fault
        return None

    def wait_until_healed(self, fault: Fault) -> None:
        with self._changed:
            while self._server is not None and any(one is fault for one in self._faults):
                self._changed.wait()

    def _is_silenced(self, request: Request) -> bool:
        return any(f.flaw is Flaw.SILENT and f.times is None and f.befalls(request) for f in self._faults)

    # --- answers -------------------------------------------------------------------------------------------------

    def authorize(self, header: str, request: Request) -> None:
        if self.token is not None and header.split(None, 1)[1:] != [self.token]:
            raise RefusedError(401, "Unauthorized", "Unauthorized")
        if self.rules is None:
            return
        for rule in self.rules:
            if (
                rule.resource in ("", request.resource)
                and request.verb in rule.verbs
                and rule.namespace in ("", request.namespace)
                and (not rule.names or request.pinned in rule.names)
            ):
                return
        raise RefusedError(
            403, "Forbidden", f"cannot {request.verb} resource {request.resource!r} {request.pinned}".strip()
        )

    def get_object(self, request: Request) -> Json:
        with self._changed:
            found = self._objects.get((request.resource, request.namespace, request.name))
        if found is None:
            raise RefusedError(404, "NotFound", f'{request.resource} "{request.name}" not found')
        return found

    def list_objects(self, request: Request) -> Json:
        spec = RESOURCES[request.resource]
        with self._changed:
            items = [obj for key, obj in sorted(self._objects.items()) if key[0] == request.resource]
            version = str(self._version)
        return {
            "kind": f"{spec.kind}List",
            "apiVersion": spec.api,
            "metadata": {"resourceVersion": version},
            "items": [obj for obj in items if _selects(request, obj)],
        }

    def stream_changes(self, request: Request, connection: _Connection) -> None:
        """Stream changes until the client's timeout, an ending, or the stop of the server."""
        asked = request.query.get("resourceVersion", "")
        if not asked.isdecimal() and asked:
            raise RefusedError(400, "BadRequest", f"invalid resource version {asked!r}")
        until = time.monotonic() + float(request.query.get("timeoutSeconds") or 1800)
        bookmarks = _is_set(request.query, "allowWatchBookmarks")
        with self._changed:
            seen = int(asked or 0)
            interrupt = len(self._interrupts)
            lines: list[bytes] = []
            if seen == 0:
                seen = self._version
                lines = [_event("ADDED", obj) for obj in self.list_objects(request)["items"]]
            self._watches += 1
        try:
            connection.begin_stream()
            if seen < self._compacted:
                gone = RefusedError(410, "Expired", f"too old resource version: {seen} ({self._compacted})")
                lines, until = [_event("ERROR", gone.status)], 0.0
            bookmark = time.monotonic() + self.bookmark_seconds
            ending: Ending | None = None
            while True:
                for line in lines:
                    connection.send_chunk(line)
                if ending is Ending.RESET:
                    return connection.reset()
                if ending is Ending.PROPER or time.monotonic() >= until or self._server is None:
                    return connection.end_stream()
                if connection.is_abandoned():
                    return None
                with self._changed:
                    lines = []
                    if not self._is_silenced(request):
                        news = [change for change in self._history if change.version > seen]
                        lines = [line for change in news if (line := _told(request, change))]
                        seen = max([seen, *(change.version for change in news)])
                        if bookmarks and time.monotonic() >= bookmark:
                            lines.append(_bookmark(request, seen))
                            bookmark = time.monotonic() + self.bookmark_seconds
                    for line, how in self._interrupts[interrupt:]:
                        lines.append(line)
                        ending = ending or how
                    interrupt = len(self._interrupts)
                    if not lines and ending is None:
                        self._changed.wait(max(0.01, min(until - time.monotonic(), bookmark - time.monotonic(), 0.1)))
        finally:
            self._watches -= 1


def _event(kind: str, obj: Json) -> bytes:
    return json.dumps({"type": kind, "object": obj}).encode() + b"\n"


def _bookmark(request: Request, seen: int) -> bytes:
    spec = RESOURCES[request.resource]
    meta = {"resourceVersion": str(seen), "creationTimestamp": None}
    return _event("BOOKMARK", {"kind": spec.kind, "apiVersion": spec.api, "metadata": meta})


def _told(request: Request, change: Change) -> bytes:
    """What a watch hears of a change; empty: nothing. An object that leaves the selection counts as deleted."""
    if change.resource != request.resource:
        return b""
    before = change.before if change.before and _selects(request, change.before) else None
    after = change.after if change.after and _selects(request, change.after) else None
    if after is not None:
        return _event("MODIFIED" if before is not None else "ADDED", after)
    return _event("DELETED", before) if before is not None else b""


def _selects(request: Request, obj: Json) -> bool:
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


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, api: KubeAPI, port: int) -> None:
        self.api = api
        self.connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Connection)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that leaves in the middle of an answer is nothing to report; anything else is."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]

    def disconnect(self) -> None:
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Connection(BaseHTTPRequestHandler):
    """One client's connection: reads requests, lets `KubeAPI` decide, and writes what it decided."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        super().finish()

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet: the lab prints its own timeline."""

    def do_GET(self) -> None:
        api = self.server.api
        try:
            request = _understand(self.path)
            api.requests.append(request)
            fault = api.take_fault(request)
            if fault is not None and self._suffer(fault):
                return
            api.authorize(self.headers.get("Authorization", ""), request)
            if request.verb == "watch":
                api.stream_changes(request, self)
            else:
                self._answer(200, api.get_object(request) if request.verb == "get" else api.list_objects(request))
        except RefusedError as refusal:
            self._answer(refusal.status["code"], refusal.status)

    def _refuse_write(self) -> None:
        self.server.api.writes.append(f"{self.command} {self.path}")
        # A body left unread would reset the connection under the answer.
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer(405, RefusedError(405, "MethodNotAllowed", "nobody may write here").status)

    do_POST = do_PUT = do_PATCH = do_DELETE = _refuse_write  # noqa: N815 - http.server looks for these names

    def _suffer(self, fault: Fault) -> bool:
        """Let the fault happen; False: answer rightly after all."""
        match fault.flaw:
            case Flaw.STATUS:
                raise RefusedError(fault.status, "Injected", "injected by the lab")
            case Flaw.RESET:
                self.reset()
            case Flaw.SILENT:
                self.server.api.wait_until_healed(fault)
                self.reset()
            case Flaw.SLOW:
                time.sleep(fault.seconds)
                return False
            case Flaw.RAW:
                self.begin_stream()
                self.send_chunk(fault.body)
                self.end_stream()
        return True

    def _answer(self, code: int, body: Json) -> None:
        payload = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def begin_stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def send_chunk(self, data: bytes) -> None:
        if data:  # an empty chunk is the end
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def end_stream(self) -> None:
        self.wfile.write(b"0\r\n\r\n")

    def is_abandoned(self) -> bool:
        """The client has closed its end; without this, a quiet watch would notice with its next line only."""
        readable, _, _ = select.select([self.connection], [], [], 0)
        return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)

    def reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # Before the server's own orderly shutdown can send a FIN.
        os.close(self.connection.detach())


def _understand(target: str) -> Request:
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
    watch = _is_set(query, "watch")
    verb = "get" if match["name"] else "watch" if watch else "list"
    return Request(verb, match["res"], match["ns"] or "", match["name"] or "", query)


def _is_set(query: Mapping[str, str], key: str) -> bool:
    """A flag of a query as Kubernetes reads it: anything but 0 and false; clients write true, True and 1."""
    return query.get(key, "false").lower() not in ("false", "0")
