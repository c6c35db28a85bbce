"""Follows what matters of a cluster, tells the core what it says, and says how far that can be believed."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from exporter import log
from exporter.clock import Clock
from exporter.cluster.client import Client
from exporter.cluster.errors import Reason
from exporter.cluster.freshness import Freshness
from exporter.cluster.interests import Interests
from exporter.cluster.join import Join
from exporter.cluster.kinds import (
    CONFIGMAPS,
    DAEMONSETS,
    LEASES,
    NODES,
    SERVICES,
    Kind,
    chosen_leases,
    discovered_services,
)
from exporter.cluster.kubevip import Version
from exporter.cluster.loop import Loop, Timing
from exporter.cluster.target import Report, T, Target
from exporter.vip.model import Input, Nanoseconds, ServiceRef, seconds

SERVER_AWAY = frozenset({Reason.UNREACHABLE, Reason.TIMEOUT, Reason.SERVER_ERROR})
ALL_LEASES = Target(LEASES.resource)


@dataclass(frozen=True, slots=True)
class TargetStatus:
    """One thing that is asked of the API server."""

    resource: str
    object: str
    """`namespace/name`, or the resource where all of it is asked for."""
    up: bool
    """The latest list or watch of it succeeded."""
    listed: bool
    """A list of it has succeeded."""
    found: int
    """How many objects of interest there are."""
    reason: str
    """Why it last failed; empty: it never did."""


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    up: bool
    """The latest list or watch of every target succeeded."""
    last_sync: Mapping[str, Nanoseconds]
    """By resource: when a list last succeeded or a line of a watch last came; absent before the first."""
    errors: Mapping[tuple[str, Reason], int]
    """By resource and reason, all reasons from the start."""
    targets: tuple[TargetStatus, ...]
    kube_vip_version: Version | None
    """None while it is not known."""
    ready: bool
    """Every target has been listed, or has failed: there is nothing to wait for at first."""


class ClusterWatcher:
    """A thread per target, each restarting its own requests; ended by `stop` only.

    The Leases that could decide on a Service follow from the Services, so their threads come and go.

    Args:
        kubeconfig: a path; empty: found as `find_configuration` says.
        interests: what to follow.
        clock: the program's clock.
        deliver: receives what changed, from several threads but never two at a time. It must not call `tick`. What
            it raises is an error of the request that brought the change, which it is then given again.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        deliver: Callable[[Sequence[Input]], None],
        kubeconfig: str = "",
        interests: Interests | None = None,
        timing: Timing | None = None,
    ) -> None:
        self._clock = clock
        self._timing = timing or Timing()
        self._consumer = deliver
        self._lock = threading.RLock()
        """Held while anything below or anything of a loop is used, and while inputs are delivered."""
        self._unsent: list[Input] = []
        self._stopped = False
        self._interests = interests or Interests()
        self._join = Join(self._interests, from_wall=clock.from_wall, doubt=seconds(self._timing.doubt))
        self._freshness = Freshness(self._timing, started=clock.now())
        self._client = Client(
            kubeconfig=kubeconfig,
            connect=self._timing.connect,
            answer=self._timing.answer,
            quiet=self._timing.quiet,
        )
        self._loops: dict[Target, Loop[object]] = {}
        self._retired: list[Loop[object]] = []
        self._unreached: set[Target] = set()
        """Those whose last request found no server that answers."""
        self._past_errors: Counter[tuple[str, Reason]] = Counter()
        """Those of loops that have ended: a counter never goes back."""

    def start(self) -> None:
        with self._lock:
            now = self._clock.now()
            self._freshness = Freshness(self._timing, started=now)
            self._follow()
            self._follow_leases()
            self._unsent += self._join.begin(now)
            self._send(now)

    def stop(self) -> None:
        """End every thread, in at most `Timing.stop`; nothing is delivered afterwards."""
        self._stopped = True
        # Without the lock, which a delivery that hangs would keep.
        loops = [*self._loops.values(), *self._retired]
        for loop in loops:
            loop.stop()
        until = time.monotonic() + self._timing.stop
        ended = [loop.join(max(0.0, until - time.monotonic())) for loop in loops]
        if all(ended):
            self._client.close()
        else:
            # One that connects, which may take as long as loading the library does, or that waits for an answer's
            # headers. A daemon thread, it ends with that or with the program, and the client that it uses with it.
            log.debug("Kubernetes watch did not end in time", threads=ended.count(False))

    def relist(self) -> None:
        """List everything again now."""
        with self._lock:
            for loop in self._loops.values():
                loop.kick()

    def tick(self) -> None:
        """Judge what time alone changes, and break a silence that has lasted; to be called about once a second."""
        with self._lock:
            now = self._clock.now()
            for loop in self._loops.values():
                loop.kick_if_quiet(self._freshness.quiet_since(now))
            for key in self._join.doubted_leases(now):
                self._loops[Target(LEASES.resource, *key)].kick()
            if self._freshness.needs_pulse(now, self._loops.values()):
                self._ask_something_small()
            self._unsent += self._join.tick(now)
            self._send(now)

    def died(self) -> tuple[str, ...]:
        """What is not followed any more, for its thread has ended by itself. Does not wait, whatever hangs."""
        return tuple(str(target) for target, loop in tuple(self._loops.items()) if loop.died)

    def status(self) -> ClusterStatus:
        with self._lock:
            loops = self._loops.values()
            last_sync: dict[str, Nanoseconds] = {}
            errors = Counter(self._past_errors)
            for loop in loops:
                resource = loop.target.resource
                if loop.last_heard is not None:
                    last_sync[resource] = max(loop.last_heard, last_sync.get(resource, loop.last_heard))
                for reason, count in loop.errors.items():
                    errors[resource, reason] += count
            return ClusterStatus(
                up=all(loop.up for loop in loops),
                last_sync=last_sync,
                errors=errors,
                targets=tuple(map(_target_status, loops)),
                kube_vip_version=self._join.version,
                ready=all(loop.listed or loop.reason is not None for loop in loops),
            )

    # --- which targets ------------------------------------------------------------------------------------------------

    def _follow(self) -> None:
        """Follow what is followed to the end."""
        interests, join = self._interests, self._join
        if interests.discover:
            kind = discovered_services(include=interests.include, exclude=interests.exclude)
            self._add(Target(kind.resource), kind, join.take_services)
        else:
            for ref in interests.services:
                self._add(_named(SERVICES, ref), SERVICES, join.take_services)
        for ref in interests.daemonsets:
            self._add(_named(DAEMONSETS, ref), DAEMONSETS, join.take_daemonsets)
        if interests.configmap is not None:
            self._add(_named(CONFIGMAPS, interests.configmap), CONFIGMAPS, join.take_wishes)
        self._add(Target(NODES.resource), NODES, join.take_nodes)

    def _follow_leases(self) -> None:
        """Follow the Leases that are wanted now, and no others."""
        wanted = {Target(LEASES.resource, *key) for key in self._join.watched_leases}
        if self._join.polled_leases:
            wanted.add(ALL_LEASES)
        there = {target for target in self._loops if target.resource == LEASES.resource}
        for target in there - wanted:
            self._retire(self._loops.pop(target))
        for target in sorted(wanted - there, key=str):
            if target == ALL_LEASES:
                kind = chosen_leases(lambda: self._join.polled_leases)
                self._add(target, kind, self._join.take_leases, poll=self._timing.poll)
            else:
                self._add(target, LEASES, self._join.take_leases)

    def _add(
        self, target: Target, kind: Kind[T], take: Callable[[Report[T]], list[Input]], *, poll: float = 0.0
    ) -> None:
        def deliver(report: Report[T]) -> None:
            if self._loops.get(target) is loop:
                self._rouse_others(target)
                self._unsent += take(report)
                self._follow_leases()
                self._send(report.at)

        def fail() -> None:
            if self._loops.get(target) is loop:
                if loop.reason in SERVER_AWAY:
                    self._unreached.add(target)
                self._note_failure(target)

        loop = Loop(
            target=target,
            kind=kind,
            client=self._client,
            clock=self._clock,
            timing=self._timing,
            state=self._lock,
            deliver=deliver,
            failed=fail,
            poll=poll,
        )
        if target not in self._loops and not self._stopped:
            self._loops[target] = loop
            loop.start()

    def _rouse_others(self, answered: Target) -> None:
        """The server answers again: whoever waits to ask anew need not."""
        if answered in self._unreached:
            others, self._unreached = self._unreached - {answered}, set()
            for target in others & self._loops.keys():
                self._loops[target].kick()

    def _retire(self, loop: Loop[object]) -> None:
        loop.stop()
        self._retired = [loop, *(other for other in self._retired if not other.join(0))]
        self._past_errors.update({(loop.target.resource, reason): count for reason, count in loop.errors.items()})

    def _ask_something_small(self) -> None:
        able = [loop for loop in self._loops.values() if loop.up]
        if able:
            min(able, key=lambda loop: (not loop.target.name, loop.found)).kick()

    # --- what is told -------------------------------------------------------------------------------------------------

    def _note_failure(self, target: Target) -> None:
        now = self._clock.now()
        if target.resource == NODES.resource:
            self._unsent += self._join.miss_nodes(now)
        # What cannot be delivered here stays, and the next delivery is a request's, whose error it then is.
        with suppress(Exception):
            self._send(now)

    def _send(self, now: Nanoseconds) -> None:
        """Deliver what has not been yet, and what follows from it on freshness."""
        if self._stopped:
            return
        services = [loop for target, loop in self._loops.items() if target.resource == SERVICES.resource]
        verdict = self._freshness.judge(now, decisive=services or self._loops.values(), every=self._loops.values())
        if verdict is not None:
            self._unsent.append(verdict)
        if self._unsent:
            self._consumer(tuple(self._unsent))
            self._unsent.clear()


def _named(kind: Kind[object], ref: ServiceRef) -> Target:
    return Target(kind.resource, ref.namespace, ref.name)


def _target_status(loop: Loop[object]) -> TargetStatus:
    return TargetStatus(
        resource=loop.target.resource,
        object=str(loop.target),
        up=loop.up,
        listed=loop.listed,
        found=loop.found,
        reason="" if loop.reason is None else loop.reason.value,
    )
