"""Follows the configured Services of a cluster, tells the core what they say, and says how far that can be believed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from exporter import log
from exporter.clock import Clock
from exporter.cluster.client import Client, Target
from exporter.cluster.errors import Reason
from exporter.cluster.kinds import SERVICES
from exporter.cluster.loop import Loop, Timing
from exporter.vip.model import Input, IntentFreshness, Nanoseconds, ServiceRef, seconds

DEFAULT_SERVICES = (ServiceRef("kube-system", "ingress-expose"), ServiceRef("kube-system", "rke2-traefik"))
"""Where Harvester keeps its management VIP: through 1.8 the first, from 1.9 the second."""


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    up: bool
    """The latest list or watch of every target succeeded."""
    last_sync: Mapping[str, Nanoseconds]
    """By resource: when a list last succeeded or a line of a watch last came; absent before the first."""
    errors: Mapping[tuple[str, Reason], int]
    """By resource and reason, all reasons from the start."""


class ClusterWatcher:
    """A thread per target, each restarting its own requests; ended by `stop` only.

    Intent is stale when nothing was heard from the server, on some target, for `Timing.stale_after`. A real server
    sends a bookmark only about once a minute, so silence alone proves nothing: `tick` lists again once three quarters
    of that time have passed in silence. So a server that answers never makes intent stale, and one that does not,
    does so on time, even behind a connection that still looks open.

    Args:
        kubeconfig: a path; empty: found as `find_configuration` says.
        services: the Services to follow; those that do not exist are waited for.
        clock: the program's clock.
        deliver: receives what changed, from several threads but never two at a time. It must not call `tick`.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        deliver: Callable[[Sequence[Input]], None],
        kubeconfig: str = "",
        services: Sequence[ServiceRef] = DEFAULT_SERVICES,
        timing: Timing | None = None,
    ) -> None:
        self._clock = clock
        self._timing = timing or Timing()
        self._consumer = deliver
        self._delivering = threading.RLock()
        self._fresh: bool | None = None
        self._stopped = False
        self._started = clock.now()
        self._client = Client(
            kubeconfig=kubeconfig,
            connect=self._timing.connect,
            answer=self._timing.answer,
            quiet=self._timing.quiet,
        )
        self._loops = [
            Loop(
                target=Target(SERVICES.resource, service.namespace, service.name),
                kind=SERVICES,
                client=self._client,
                clock=clock,
                timing=self._timing,
                deliver=self._deliver,
                heard=self._judge_freshness,
            )
            for service in services
        ]

    def start(self) -> None:
        self._started = self._clock.now()
        for loop in self._loops:
            loop.start()

    def stop(self) -> None:
        """End every thread, in at most `Timing.stop`; nothing is delivered afterwards."""
        self._stopped = True
        for loop in self._loops:
            loop.stop()
        until = time.monotonic() + self._timing.stop
        ended = [loop.join(max(0.0, until - time.monotonic())) for loop in self._loops]
        if not all(ended):
            # It waits for an answer's headers; a daemon thread, it ends with that wait or with the program.
            log.debug("Kubernetes watch did not end in time", threads=ended.count(False))
        self._client.close()

    def relist(self) -> None:
        """List everything again now."""
        for loop in self._loops:
            loop.kick()

    def tick(self) -> None:
        """Judge freshness, and break a silence that has lasted; to be called about once a second."""
        quiet_since = self._clock.now() - seconds(self._timing.stale_after * 0.75)
        for loop in self._loops:
            loop.kick_if_quiet(quiet_since)
        self._judge_freshness()

    def status(self) -> ClusterStatus:
        last_sync: dict[str, Nanoseconds] = {}
        errors: dict[tuple[str, Reason], int] = {}
        for loop in self._loops:
            resource = loop.target.resource
            if loop.last_heard is not None:
                last_sync[resource] = max(loop.last_heard, last_sync.get(resource, loop.last_heard))
            for reason, count in loop.errors.items():
                errors[resource, reason] = errors.get((resource, reason), 0) + count
        return ClusterStatus(all(loop.up for loop in self._loops), last_sync, errors)

    def _deliver(self, inputs: Sequence[Input]) -> None:
        with self._delivering:
            if not self._stopped:
                self._consumer(inputs)

    def _judge_freshness(self) -> None:
        """Deliver a change of freshness. The first verdict waits for every target, or for the time to run out."""
        with self._delivering:
            now = self._clock.now()
            oldest = now - seconds(self._timing.stale_after)
            if all(loop.last_heard is not None and loop.last_heard >= oldest for loop in self._loops):
                fresh = True
            elif self._fresh is None and self._started >= oldest:
                return
            else:
                fresh = False
            if fresh is not self._fresh:
                self._fresh = fresh
                if not fresh:
                    log.warning("Kubernetes has not answered, what it said is stale")
                self._deliver([IntentFreshness(now, fresh)])
