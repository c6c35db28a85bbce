"""One look at the VIPs, for commands that answer and end: watches with every source there is until it can tell.

A source that cannot be had (no right to capture, no cluster) is named with the reason; the others still count.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.clock import Clock
from exporter.cluster.errors import Reason
from exporter.cluster.intent_file import IntentFile
from exporter.config import Config
from exporter.inputs import Inputs
from exporter.reconciler import Reconciler
from exporter.vip.agreement import differ
from exporter.vip.core import Core
from exporter.vip.model import SECOND, ClaimantClass, EventName, IPAddress, Nanoseconds, Source, State
from exporter.vip.snapshot import Event, Snapshot, VipSnapshot
from exporter.wire.capture import CaptureStats

if TYPE_CHECKING:
    from exporter.cluster.watch import ClusterStatus, TargetStatus

LONGEST = 30.0
"""Seconds after which it says what it knows: five periods of silence and a contest are over by then."""
DEAF_AFTER: Nanoseconds = 2 * SECOND
"""An interface that has not come up by then is taken as one that hears nothing."""
ONE_SHOT: Nanoseconds = 7 * SECOND
"""How long to listen for announcers that do not repeat."""
KUBERNETES_WITHIN: Nanoseconds = 10 * SECOND
"""An API server that has not answered by then is done without."""
ODD_ONE_OUT: Nanoseconds = 7 * SECOND
"""Where the others differ, how long to listen for whose MAC it is that announces: ARP tells it now and then."""

_WORDS = {
    Reason.CONFIGURATION: "the kubeconfig or service account cannot be used",
    Reason.UNREACHABLE: "the API server cannot be reached",
    Reason.TLS: "no TLS connection to the API server comes about",
    Reason.TIMEOUT: "the API server does not answer",
    Reason.UNAUTHORIZED: "the API server does not accept the token or certificate",
    Reason.FORBIDDEN: "not permitted to read it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was seen."""

    clock: Clock
    observer: str
    snapshot: Snapshot
    lacking: Mapping[Source, str]
    """The sources that could not be had, with the reason."""
    cluster: ClusterStatus | None
    captures: tuple[CaptureStats, ...]
    listened: Nanoseconds
    deaf: Mapping[str, str] = field(default_factory=dict)
    """The interfaces on which nothing can be heard, with the reason."""
    forgotten: str = ""
    """Why the state file tells nothing, or not all."""

    @property
    def without_kubernetes(self) -> str:
        """Why Kubernetes says nothing at all; empty: it says something, or was not to be asked."""
        if self.cluster is not None and any(target.listed for target in self.cluster.targets):
            return ""
        return self.lacking.get(Source.ANNOTATION, "")

    def since(self, vip: VipSnapshot) -> Nanoseconds | None:
        """Since when the holder has held it; None: for longer than this look, or there is none."""
        started = self.snapshot.at - self.listened
        if vip.holder_since is None or not (vip.holder or vip.holder_mac):
            return None
        # Who was there from the first, or has taken over since the state file was written, came when nobody looked.
        return vip.holder_since if vip.holder_since < started or vip.last_handover is not None else None


def look(
    config: Config, intent: IntentFile | None, *, vips: Collection[IPAddress] = (), longest: float = LONGEST
) -> Look:
    """Watch for as long as it takes, at most `longest` seconds.

    Args:
        vips: only these matter, whether or not a Service has them; none: all that Services and intent file have.
    """
    clock = Clock()
    lacking: dict[Source, str] = {}
    deaf: dict[str, str] = {}
    core = Core(at=clock.now(), observer=config.observer_name, settle=config.vip_settle_time, period=config.vip_period)
    for address in vips:
        core.watch(address)
    inputs: Inputs

    def publish(events: Iterable[Event]) -> None:
        for event in events:
            if event.name is EventName.CAPTURE_LOST:
                deaf[str(event.fields["device"])] = str(event.fields.get("reason", ""))

    def watch(watched: Mapping[IPAddress, int | None], neighbours: frozenset[IPAddress]) -> None:
        inputs.watch(watched, neighbours)

    reconciler = Reconciler(core, clock=clock, publish=publish, watch=watch)
    inputs = Inputs(
        config,
        intent,
        clock=clock,
        reconciler=reconciler,
        lacking=lambda source, reason: lacking.__setitem__(source, str(reason)),
    )
    forgotten = ""
    if config.state_path is not None:
        from exporter.publish.state_file import read_past

        past = read_past(config.state_path, clock)
        forgotten = past.reason
        reconciler.deliver(past.holders)
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
    deaf = {capture.device: deaf.get(capture.device) or "not open yet" for capture in captures if not capture.up}
    if captures and len(deaf) == len(captures):
        devices = ", ".join(f"{device} ({reason})" for device, reason in deaf.items())
        lacking[Source.WIRE] = f"nothing can be heard on {devices}"
    if host is not None and not host.up:
        lacking[Source.LOCAL] = host.reason
    if cluster is None and Source.ANNOTATION in lacking:
        lacking[Source.LEASE] = lacking[Source.ANNOTATION]
    if cluster is not None:
        lacking |= _unread(cluster)
    return Look(
        clock=clock,
        observer=config.observer_name,
        snapshot=snapshot,
        lacking=lacking,
        cluster=cluster,
        captures=captures,
        listened=snapshot.at - started,
        deaf=deaf,
        forgotten=forgotten,
    )


def _unread(cluster: ClusterStatus) -> dict[Source, str]:
    """The sources of which Kubernetes let nothing be read, and why."""
    unread = {}
    for source, resource in ((Source.ANNOTATION, "services"), (Source.LEASE, "leases")):
        targets = [target for target in cluster.targets if target.resource == resource]
        if targets and not any(target.listed for target in targets):
            unread[source] = "; ".join(dict.fromkeys(map(why, targets)))
    return unread


def why(target: TargetStatus) -> str:
    """Why it cannot be read, in words and in the word that the metrics have for it."""
    if not target.reason:
        return "the API server has not answered yet"
    words = _WORDS.get(Reason(target.reason), "the request failed")
    return f"{words} ({target.reason})"


class _Patience:
    """Whether more waiting would tell more."""

    def __init__(self, inputs: Inputs, vips: Collection[IPAddress], *, started: Nanoseconds) -> None:
        self._inputs = inputs
        self._vips = frozenset(vips)
        self._started = started
        self._watched_since: dict[IPAddress, Nanoseconds] = {}

    def has_enough(self, snapshot: Snapshot) -> bool:
        # First what Kubernetes has to say: it names the VIPs.
        cluster = self._inputs.cluster
        if cluster is not None and not cluster.status().ready and snapshot.at - self._started < KUBERNETES_WITHIN:
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
                return listened >= vip.period * 11 // 10 and (listened >= ODD_ONE_OUT or not _is_open(vip))
            case State.UNKNOWN if vip.period == 0:
                return listened >= ONE_SHOT
            case _:
                return False


def _is_open(vip: VipSnapshot) -> bool:
    """The other sources differ, and the wire, which would decide, shows a MAC that may be anybody's."""
    return differ(vip) and any(
        claimant.mac == vip.holder_mac and claimant.claimant_class is ClaimantClass.UNRESOLVED
        for claimant in vip.claimants
    )
