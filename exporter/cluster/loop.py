"""Follows one selection of objects on an API server for as long as the program runs, whatever the server does.

List, then watch from the version listed; a watch that ends in order is resumed; one whose version is too old (410)
is followed by a list; after any other failure comes a pause that grows from one failure to the next, then a list.
Or only list, again and again. The thread ends only by `stop`; an unexpected error is counted, logged, and treated as
a failure. No object is kept here: what is reported is what the server said, and others see what is new in it.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Generic

from exporter import log
from exporter.clock import Clock
from exporter.cluster.client import Answer, Client
from exporter.cluster.errors import ClusterError, Reason, status_reason
from exporter.cluster.fields import Key, Problem
from exporter.cluster.kinds import Kind
from exporter.cluster.target import Report, T_co, Target
from exporter.vip.model import SECOND, Nanoseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long to wait for what, in seconds."""

    connect: float = 5.0
    answer: float = 15.0
    """For the headers of an answer, and for each further part of a list."""
    watch: int = 240
    """How long the server is asked to keep a watch open."""
    quiet: float = 270.0
    """An open watch without a byte for so long is given up; more than `watch`."""
    backoff_first: float = 1.0
    backoff_most: float = 30.0
    pace: float = 1.0
    """The least time from one watch to the next, lest a server that ends each at once is asked without pause."""
    stale_after: float = 60.0
    """Intent is stale when the server has said nothing for so long."""
    current_for: float = 15.0
    """Kubernetes is taken to answer at present for so long after it last said anything."""
    pulse: float = 10.0
    """After so long without a word it is asked something small."""
    doubt: float = 2.0
    """So long before a Lease expires it is asked whether it was renewed. A holder that lives renews sooner."""
    poll: float = 10.0
    """Between two lists of what is not watched, give or take a fifth."""
    stop: float = 0.9
    """For all threads together to end."""


class Loop(Generic[T_co]):
    """One thread that follows one target.

    Args:
        target: what to list and watch.
        kind: what its objects mean.
        state: a lock, held while what others see of the loop changes, and while they are told.
        deliver: called on this thread with every list and every good line of a watch, bookmarks included.
        failed: called on this thread after a failure.
        poll: list only, so many seconds apart, give or take a fifth; 0: watch.
    """

    def __init__(
        self,
        *,
        target: Target,
        kind: Kind[T_co],
        client: Client,
        clock: Clock,
        timing: Timing,
        state: AbstractContextManager[object],
        deliver: Callable[[Report[T_co]], None],
        failed: Callable[[], None],
        poll: float = 0.0,
    ) -> None:
        self.target = target
        self.up = False
        """The latest list or watch succeeded."""
        self.listed = False
        """A list has succeeded, and what it says was delivered."""
        self.reason: Reason | None = None
        """Why it last failed."""
        self.last_heard: Nanoseconds | None = None
        self.errors = dict.fromkeys(Reason, 0)
        self._kind = kind
        self._client = client
        self._clock = clock
        self._timing = timing
        self._state = state
        self._deliver = deliver
        self._tell_failure = failed
        self._poll = poll
        self._lock = threading.Lock()
        self._started = False
        self._stopping = threading.Event()
        self._woken = threading.Event()
        self._answer: Answer | None = None
        self._watching = False
        self._began = clock.now()
        self._there: set[Key] = set()
        self._problems: dict[Key, tuple[Problem, ...]] = {}
        self._failures = 0
        self._failed_stage = ""
        self._logged: Reason | None = None
        self._thread = threading.Thread(target=self._run, name=f"watch {target}", daemon=True)

    @property
    def found(self) -> int:
        """The objects of interest that there are."""
        return len(self._there)

    @property
    def died(self) -> bool:
        """Its thread has ended though nobody stopped it. It ends by `stop` only; if it ever did otherwise, it shows."""
        return self._started and not self._stopping.is_set() and not self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()
        self._started = True

    def stop(self) -> None:
        """Make the thread end; nothing is delivered from now on. Does not wait."""
        self._stopping.set()
        self._interrupt(lists=True)

    def join(self, timeout: float) -> bool:
        """Whether the thread has ended within so many seconds."""
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def kick(self) -> None:
        """List again now: cuts short a pause or a watch. A list under way is left to finish first."""
        self._interrupt(lists=False)

    def kick_if_quiet(self, since: Nanoseconds) -> None:
        """List again if the last list began before then and nothing was heard after it either."""
        if max(self._began, self.last_heard or 0) < since:
            self._interrupt(lists=True)

    def _interrupt(self, *, lists: bool) -> None:
        with self._lock:
            self._woken.set()
            if self._answer is not None and (lists or self._watching):
                self._answer.close()

    def _run(self) -> None:
        while True:
            self._woken.clear()
            # In this order: a stop between the two would otherwise be lost.
            if self._stopping.is_set():
                return
            pause = self._follow()
            self._woken.wait(pause)

    def _follow(self) -> float:
        """List, and watch until something ends it; returns the seconds to wait before the next list."""
        stage = "list"
        self._began = self._clock.now()
        try:
            version = self._list()
            if self._poll:
                return random.uniform(0.8, 1.2) * self._poll
            stage = "watch"
            while not self._woken.is_set():
                version = self._watch(version)
        except ClusterError as error:
            return self._failed(stage, error)
        except Exception as error:  # noqa: BLE001 - the thread must outlive a defect
            return self._failed(stage, ClusterError(Reason.INTERNAL, repr(error)))
        return 0.0

    def _list(self) -> str:
        asked = self._clock.now()
        version, items = _listed(self._open(self._client.list(self.target), watching=False).read())
        objects = {key: self._read(key, obj) for key, obj in items.items() if self.target.covers(key)}
        self._problems = {key: problems for key, problems in self._problems.items() if key in objects}
        self._report("list", objects, asked)
        return version

    def _watch(self, version: str) -> str:
        """Watch from a version to the end of the stream; returns the version to resume from."""
        answer = self._client.watch(self.target, version=version, seconds=self._timing.watch)
        self._open(answer, watching=True)
        opened = self._clock.now()
        try:
            for line in answer.lines():
                version = self._take(line) or version
        except ClusterError as error:
            # A kick ends the stream anywhere, in the middle of a line too.
            if not self._woken.is_set() or error.reason is Reason.GONE:
                raise
        remaining = self._timing.pace - (self._clock.now() - opened) / SECOND
        if remaining <= 0:
            self._recovered("watch")
        else:
            self._woken.wait(remaining)
        return version

    def _open(self, answer: Answer, *, watching: bool) -> Answer:
        """Make an answer known to whoever interrupts, who may have come before it."""
        with self._lock:
            self._answer, self._watching = answer, watching
            if self._stopping.is_set() or (watching and self._woken.is_set()):
                answer.close()
        return answer

    def _take(self, line: Any) -> str | None:
        """Report one line of a watch; returns the version it brings."""
        if not isinstance(line, dict) or not isinstance(obj := line.get("object"), dict):
            raise ClusterError(Reason.MALFORMED, "a line of the watch is no event")
        objects: dict[Key, T_co | None] = {}
        match line.get("type"):
            case "BOOKMARK":
                pass
            case "ERROR":
                code = obj.get("code")
                reason = status_reason(code) if isinstance(code, int) else Reason.MALFORMED
                raise ClusterError(reason, f"the watch reports {code!r:.20}: {obj.get('message')!r:.200}")
            case "DELETED" if self.target.covers(key := _key(obj)):
                objects[key] = None
                self._problems.pop(key, None)
            # Checked here too: a server may overlook a selector.
            case "ADDED" | "MODIFIED" if self.target.covers(key := _key(obj)):
                objects[key] = self._read(key, obj)
            case "ADDED" | "MODIFIED" | "DELETED":
                pass
            case other:
                raise ClusterError(Reason.MALFORMED, f"the watch sent an event of type {other!r:.40}")
        self._report("watch", objects)
        return _version(obj)

    def _read(self, key: Key, obj: Mapping[str, Any]) -> T_co | None:
        value, problems = self._kind.read(key, obj)
        known = self._problems.pop(key, ())
        if problems:
            self._problems[key] = problems
        for problem in problems:
            if problem not in known:
                log.warning(
                    "Kubernetes object has a field that cannot be used",
                    resource=self._kind.resource,
                    object=str(key),
                    field=problem.where,
                    value=problem.value,
                    remedy=problem.remedy,
                )
        return value

    def _report(self, stage: str, objects: Mapping[Key, T_co | None], asked: Nanoseconds | None = None) -> None:
        with self._state:
            if self._stopping.is_set():
                return
            if asked is not None:
                self._there.clear()
            self._there |= {key for key, value in objects.items() if value is not None}
            self._there -= {key for key, value in objects.items() if value is None}
            now = self._clock.now()
            self.last_heard, self.up = now, True
            self._deliver(Report(self.target, now, objects, asked))
            self.listed = self.listed or asked is not None
        self._recovered(stage)

    def _failed(self, stage: str, error: ClusterError) -> float:
        """Count and log a failure; returns the seconds to wait."""
        if self._stopping.is_set():
            return 0.0
        self._failures += 1
        self._failed_stage = stage
        with self._state:
            self.errors[error.reason] += 1
            if error.reason is Reason.GONE and self._failures == 1:
                return 0.0
            self.up, self.reason = False, error.reason
            self._tell_failure()
        if error.reason is not self._logged:
            self._logged = error.reason
            log.warning(
                "Kubernetes API request failed",
                resource=self._kind.resource,
                object=str(self.target),
                request=stage,
                reason=error.reason.value,
                error=str(error),
            )
        most = min(self._timing.backoff_most, self._timing.backoff_first * 2.0 ** min(self._failures, 30))
        return random.uniform(self._timing.backoff_first, most)

    def _recovered(self, stage: str) -> None:
        """Start from the shortest pause again. A list that works is no recovery from watches that do not."""
        if stage == "list" and self._failed_stage == "watch":
            return
        self._failures = 0
        self._failed_stage = ""
        if self._logged is not None:
            self._logged = None
            log.info("Kubernetes API answers again", resource=self._kind.resource, object=str(self.target))


def _listed(content: Any) -> tuple[str, Mapping[Key, Mapping[str, Any]]]:
    """The version of a list, and its objects."""
    version = _version(content)
    if version is None:
        raise ClusterError(Reason.MALFORMED, "the list has no resource version")
    # Go writes an empty list as null.
    items = content.get("items") or []
    if not isinstance(items, list):
        raise ClusterError(Reason.MALFORMED, "the list's items are no list")
    return version, {_key(item): item for item in items}


def _key(obj: Any) -> Key:
    """Raises ClusterError: it cannot be said which object this is, so not what became of the others either."""
    meta = obj.get("metadata") if isinstance(obj, dict) else None
    if isinstance(meta, dict):
        name, namespace = meta.get("name"), meta.get("namespace", "")
        if isinstance(name, str) and name and isinstance(namespace, str) and (namespace + name).isprintable():
            return Key(namespace, name)
    raise ClusterError(Reason.MALFORMED, "an object has no usable name")


def _version(obj: Any) -> str | None:
    meta = obj.get("metadata") if isinstance(obj, dict) else None
    version = meta.get("resourceVersion") if isinstance(meta, dict) else None
    return version if isinstance(version, str) and version else None
