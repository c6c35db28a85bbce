"""One look at the VIPs, for commands that answer and end: watches with every source there is until it can tell.

A source that cannot be had (no right to capture, no cluster) is named with the reason; the others still count.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from exporter.clock import Clock
from exporter.cluster.intent_file import IntentFile
from exporter.cluster.watch import ClusterStatus
from exporter.config import Config
from exporter.inputs import Inputs
from exporter.publish.state_file import read_past
from exporter.reconciler import Reconciler
from exporter.vip.core import Core
from exporter.vip.model import SECOND, IPAddress, Nanoseconds, Source, State
from exporter.vip.snapshot import Snapshot, VipSnapshot
from exporter.wire.capture import CaptureStats

LONGEST = 30.0
"""Seconds after which it says what it knows: five periods of silence and a contest are over by then."""
DEAF_AFTER: Nanoseconds = 2 * SECOND
"""An interface that has not come up by then is taken as one that hears nothing."""
ONE_SHOT: Nanoseconds = 7 * SECOND
"""How long to listen for announcers that do not repeat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was seen."""

    clock: Clock
    observer: str
    snapshot: Snapshot
    lacking: Mapping[Source, str]
    """The sources that could not be had, with the reason. `annotation` stands for all that Kubernetes says."""
    cluster: ClusterStatus | None
    captures: tuple[CaptureStats, ...]
    listened: Nanoseconds


def look(
    config: Config, intent: IntentFile | None, *, vips: Collection[IPAddress] = (), longest: float = LONGEST
) -> Look:
    """Watch for as long as it takes, at most `longest` seconds.

    Args:
        vips: only these matter, whether or not a Service has them; none: all that Services and intent file have.
    """
    clock = Clock()
    lacking: dict[Source, str] = {}
    core = Core(at=clock.now(), observer=config.observer_name, settle=config.vip_settle_time, period=config.vip_period)
    for address in vips:
        core.watch(address)
    inputs: Inputs

    def watch(watched: Mapping[IPAddress, int | None], neighbours: frozenset[IPAddress]) -> None:
        inputs.watch(watched, neighbours)

    reconciler = Reconciler(core, clock=clock, publish=lambda _: None, watch=watch)
    inputs = Inputs(
        config,
        intent,
        clock=clock,
        reconciler=reconciler,
        lacking=lambda source, reason: lacking.__setitem__(source, str(reason)),
    )
    if config.state_path is not None:
        reconciler.deliver(read_past(config.state_path, clock).holders)
    started = clock.now()
    watch(core.watched(), core.neighbours())
    inputs.start()
    try:
        patience = _Patience(inputs, vips, started=started)
        while True:
            inputs.tick()
            snapshot = reconciler.snapshot()
            if patience.has_enough(snapshot) or snapshot.at - started > longest * SECOND:
                break
            time.sleep(0.05)
        captures = tuple(capture.stats() for capture in inputs.captures)
        cluster = inputs.cluster.status() if inputs.cluster else None
        host = inputs.host.status() if inputs.host else None
    finally:
        inputs.stop()
    if inputs.captures and not any(capture.up for capture in captures):
        devices = ", ".join(capture.device for capture in captures)
        lacking[Source.WIRE] = f"nothing can be heard on {devices}: the interface is missing, down or without carrier"
    if host is not None and not host.up:
        lacking[Source.LOCAL] = host.reason
    if cluster is not None and not any(target.listed for target in cluster.targets):
        reasons = {target.reason: None for target in cluster.targets if target.reason}
        lacking[Source.ANNOTATION] = "; ".join(reasons) or "the Kubernetes API has not answered"
    return Look(
        clock=clock,
        observer=config.observer_name,
        snapshot=snapshot,
        lacking=lacking,
        cluster=cluster,
        captures=captures,
        listened=snapshot.at - started,
    )


class _Patience:
    """Whether more waiting would tell more."""

    def __init__(self, inputs: Inputs, vips: Collection[IPAddress], *, started: Nanoseconds) -> None:
        self._inputs = inputs
        self._vips = frozenset(vips)
        self._started = started
        self._watched_since: dict[IPAddress, Nanoseconds] = {}

    def has_enough(self, snapshot: Snapshot) -> bool:
        # First what Kubernetes has to say: it names the VIPs.
        if self._inputs.cluster is not None and not self._inputs.cluster.status().ready:
            return False
        if self._inputs.host is not None and self._awaits_host(snapshot):
            return False
        if not self._hears(snapshot.at):
            return True
        asked = [vip for vip in snapshot.vips if not self._vips or vip.address in self._vips]
        unclear = [vip for vip in asked if not self._is_clear(vip, snapshot.at)]
        return not unclear

    def _awaits_host(self, snapshot: Snapshot) -> bool:
        host = self._inputs.host
        assert host is not None
        untold = any(vip.bound is None for vip in snapshot.vips)
        return untold and not host.status().reason and snapshot.at - self._started < DEAF_AFTER

    def _hears(self, now: Nanoseconds) -> bool:
        """Something can be heard, or may be in a moment."""
        captures = self._inputs.captures
        return bool(captures) and (any(one.stats().up for one in captures) or now - self._started < DEAF_AFTER)

    def _is_clear(self, vip: VipSnapshot, now: Nanoseconds) -> bool:
        listened = now - self._watched_since.setdefault(vip.address, now)
        match vip.state:
            case State.SILENT | State.CONTESTED:
                return True
            case State.HELD:
                # Whoever else announces it would have been heard within a period.
                return listened >= vip.period * 11 // 10
            case State.UNKNOWN if vip.period == 0:
                return listened >= ONE_SHOT
            case _:
                return False
