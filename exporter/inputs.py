"""Everything that tells the core something: builds it from a configuration, starts it, stops it.

capture threads, the host's, the cluster's, the intent file's timeline ─→ Reconciler (the core)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from threading import Lock
from typing import TYPE_CHECKING

from exporter import log
from exporter.clock import Clock
from exporter.cluster.client import find_configuration
from exporter.cluster.errors import ConfigurationError
from exporter.cluster.intent_file import IntentFile
from exporter.cluster.interests import Interests
from exporter.config import Config
from exporter.host.watch import HostWatcher
from exporter.reconciler import Reconciler
from exporter.vip.model import SECOND, Input, IPAddress, LeaseGone, NodesSeen, ServiceGone, Source
from exporter.vip.nodes import with_macs
from exporter.wire.capture import Capture, CaptureNotPermitted, default_interface
from exporter.wire.decode import Decoder
from exporter.wire.interface import NoDefaultRouteError

if TYPE_CHECKING:
    from exporter.cluster.watch import ClusterWatcher


class Inputs:
    """The sources of one running program.

    Args:
        config: what it was told.
        intent: the intent file's content; then Kubernetes is not asked.
        clock: the time line of all that is delivered.
        reconciler: takes it.
        lacking: told of a source that cannot be had, and why; it may raise the reason, to do without nothing.

    Raises:
        NoDefaultRouteError: no interface was named, and none can be chosen.
        ConfigurationError: no Kubernetes cluster is configured, or its kubeconfig is not there.
            Both only by way of `lacking`.
    """

    def __init__(
        self,
        config: Config,
        intent: IntentFile | None,
        *,
        clock: Clock,
        reconciler: Reconciler,
        lacking: Callable[[Source, Exception], None],
    ) -> None:
        self._clock = clock
        self._started = clock.now()
        self._reconciler = reconciler
        self._lacking = lacking
        self._intent = intent
        self._node_macs = config.nodes
        self._later: deque[Input] = deque()
        self._playing = Lock()
        """Held from reading the intent file's timeline to telling it: nothing of an old file comes after a new one."""
        self._running = ExitStack()
        self.captures = self._build_captures(config)
        self.cluster = self._build_cluster(config) if config.kubernetes_enabled and intent is None else None
        self.host = (
            HostWatcher(
                clock=clock,
                deliver=reconciler.deliver,
                ignore=config.host_ignore_interface,
                listening=[capture.device for capture in self.captures],
            )
            if config.host_enabled
            else None
        )

    def _build_captures(self, config: Config) -> list[Capture]:
        try:
            devices = config.capture_interface or (default_interface(),)
        except NoDefaultRouteError as error:
            self._lacking(Source.WIRE, error)
            return []
        return [
            Capture(
                device,
                decoder=Decoder(),
                clock=self._clock,
                deliver=self._reconciler.deliver,
                buffer_bytes=config.capture_buffer,
                on_error=lambda message, error: log.error(message, error=error),
            )
            for device in devices
        ]

    def _build_cluster(self, config: Config) -> ClusterWatcher | None:
        kubeconfig = str(config.kubernetes_kubeconfig or "")
        try:
            find_configuration(kubeconfig)
        except ConfigurationError as error:
            self._lacking(Source.ANNOTATION, error)
            return None
        # Of no use without a cluster.
        from exporter.cluster.loop import Timing
        from exporter.cluster.watch import ClusterWatcher

        return ClusterWatcher(
            clock=self._clock,
            deliver=self._reconciler.deliver,
            kubeconfig=kubeconfig,
            interests=interests(config),
            timing=Timing(stale_after=config.intent_stale_after / SECOND),
        )

    # --- start and stop -----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start every source; if one cannot, those before it are stopped again.

        Raises:
            CaptureNotPermitted: CAP_NET_RAW is missing; only by way of `lacking`.
        """
        with ExitStack() as started:
            if self._intent is not None:
                self._play(self._intent)
            elif self.cluster is None and self._node_macs:
                self._reconciler.deliver([NodesSeen(self._started, with_macs((), self._node_macs))])
            # Before the frames: what is bound here and which MACs are our own helps to read them.
            if self.host is not None:
                self.host.start()
                started.callback(self.host.stop, 0.5)
            for capture in list(self.captures):
                try:
                    capture.start()
                except CaptureNotPermitted as error:
                    self._lacking(Source.WIRE, error)
                    self.captures.remove(capture)
                    continue
                started.callback(capture.stop, 0.5)
            if self.cluster is not None:
                self.cluster.start()
                started.callback(self.cluster.stop)
            self._running = started.pop_all()

    def stop(self) -> None:
        """Stop every source, the youngest first, in about two seconds at most."""
        self._running.close()

    # --- while it runs ------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Deliver what time alone brings; to be called about once a second."""
        now = self._clock.now()
        with self._playing:
            while self._later and self._later[0].at <= now:
                self._reconciler.deliver([self._later.popleft()])
        if self.cluster is not None:
            self.cluster.tick()

    def relist(self) -> None:
        """List everything in Kubernetes anew."""
        if self.cluster is not None:
            self.cluster.relist()

    def watch(self, vips: Mapping[IPAddress, int | None], neighbours: frozenset[IPAddress]) -> None:
        """These are the addresses to listen for, and those that tell a node's MAC."""
        for capture in self.captures:
            capture.watch(vips, neighbours)

    def replace_intent(self, intent: IntentFile) -> None:
        """The intent file says this now."""
        if intent == self._intent:
            return
        kept = {entry.service for entry in intent.entries}
        before = self._intent.entries if self._intent else ()
        now = self._clock.now()
        # What the new file leaves out must be taken back; what it says is said anew.
        taken_back: list[Input] = [ServiceGone(now, entry.service) for entry in before if entry.service not in kept]
        taken_back += [LeaseGone(now, address) for entry in before for address in entry.said.addresses]
        with self._playing:
            self._reconciler.deliver(taken_back)
            self._play(intent)
        self._intent = intent

    def _play(self, intent: IntentFile) -> None:
        """Take what the intent file says now, and note what it says later."""
        plan = intent.plan(start=self._started, now=self._clock.now(), from_wall=self._clock.from_wall)
        nodes = NodesSeen(self._started, with_macs(intent.nodes or (), self._node_macs))
        self._reconciler.deliver([nodes, *(one for one in plan.initial if not isinstance(one, NodesSeen))])
        self._later = deque(plan.later)


def interests(config: Config) -> Interests:
    """What to follow in Kubernetes."""
    return Interests(
        services=config.services_watch,
        discover=config.services_discover,
        include=config.services_include,
        exclude=config.services_exclude,
        service_leases=config.lease_services,
        control_plane_addresses=config.control_plane_address,
        control_plane_lease=config.control_plane_lease,
        daemonsets=config.kube_vip_daemonset,
        kube_vip_version=config.kube_vip_version,
        configmap=config.harvester_configmap,
        nodes=config.nodes,
    )
