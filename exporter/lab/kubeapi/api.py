"""The emulated cluster: its objects with their history, and the faults that befall who asks for them."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, Self

from exporter.lab.kubeapi.http import Connection, Server
from exporter.lab.kubeapi.watching import bookmark_line, event_line, selects, told
from exporter.lab.kubeapi.words import RESOURCES, Change, Ending, Fault, Flaw, Json, RefusedError, Request, Rule, is_set

HISTORY = 1000
"""Changes that a watch can catch up on; older ones answer 410, as after a compaction."""


class KubeAPI:
    """The server and its objects. A stopped one keeps its objects and can be started again on the same port.

    Args:
        token: the bearer token that every request must carry; None: none is asked for. May be changed while running.
        rules: what the token's bearer may do; None: everything.
        bookmark_seconds: how often a quiet watch gets a bookmark (a real server: about once a minute).
        address: where to listen. No other than loopback is for a machine that somebody else can reach.
        port: 0 for a free one.
    """

    def __init__(
        self,
        *,
        token: str | None = None,
        rules: Sequence[Rule] | None = None,
        bookmark_seconds: float = 60.0,
        address: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.token = token
        self.rules = rules
        self.bookmark_seconds = bookmark_seconds
        self.requests: deque[Request] = deque(maxlen=10_000)
        self.writes: list[str] = []
        """Method and path of every write that was tried over HTTP."""
        self.open_watches: Counter[str] = Counter()
        """By resource."""
        self._address = address
        self._port = port
        self._server: Server | None = None
        self._changed = threading.Condition()
        self._objects: dict[tuple[str, str, str], Json] = {}
        self._history: deque[Change] = deque()
        self._version = 1000
        self._compacted = 0
        self._faults: list[Fault] = []
        self._interrupts: list[tuple[bytes, Ending | None]] = []

    # --- running -------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"http://{self._address}:{self._port}"

    def start(self) -> str:
        """Listen, and return the base URL."""
        self._server = Server(self, self._address, self._port)
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

    def _changes_since(self, version: int) -> list[Change]:
        """Found from the end: every watch asks at every change."""
        newest_first = takewhile(lambda change: change.version > version, reversed(self._history))
        return list(newest_first)[::-1]

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
            "items": [obj for obj in items if selects(request, obj)],
        }

    def stream_changes(self, request: Request, connection: Connection) -> None:
        """Stream changes until the client's timeout, an ending, or the stop of the server."""
        asked = request.query.get("resourceVersion", "")
        if not asked.isdecimal() and asked:
            raise RefusedError(400, "BadRequest", f"invalid resource version {asked!r}")
        until = time.monotonic() + float(request.query.get("timeoutSeconds") or 1800)
        bookmarks = is_set(request.query, "allowWatchBookmarks")
        with self._changed:
            seen = int(asked or 0)
            interrupt = len(self._interrupts)
            lines: list[bytes] = []
            if seen == 0:
                seen = self._version
                lines = [event_line("ADDED", obj) for obj in self.list_objects(request)["items"]]
            self.open_watches[request.resource] += 1
        try:
            connection.begin_stream()
            if seen < self._compacted:
                gone = RefusedError(410, "Expired", f"too old resource version: {seen} ({self._compacted})")
                lines, until = [event_line("ERROR", gone.status)], 0.0
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
                        news = self._changes_since(seen)
                        lines = [line for change in news if (line := told(request, change))]
                        seen = max([seen, *(change.version for change in news)])
                        if bookmarks and time.monotonic() >= bookmark:
                            lines.append(bookmark_line(request, seen))
                            bookmark = time.monotonic() + self.bookmark_seconds
                    for line, how in self._interrupts[interrupt:]:
                        lines.append(line)
                        ending = ending or how
                    interrupt = len(self._interrupts)
                    if not lines and ending is None:
                        self._changed.wait(max(0.01, min(until - time.monotonic(), bookmark - time.monotonic(), 0.1)))
        finally:
            with self._changed:
                self.open_watches[request.resource] -= 1
