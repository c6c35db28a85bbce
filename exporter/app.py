"""The composition root: builds the parts from a configuration, joins them, and starts and stops them in order.

capture threads ─┐                              ┌─ log and history
cluster threads ─┼─→ Reconciler (the core) ─→ ──┼─ metrics, page, API
scheduler ───────┘                              └─ which addresses to capture
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from contextlib import ExitStack

from exporter import __version__, log
from exporter.clock import Clock
from exporter.cluster.client import find_configuration
from exporter.cluster.intent_file import IntentFile
from exporter.cluster.loop import Timing
from exporter.cluster.watch import ClusterWatcher
from exporter.config import Config
from exporter.publish.history import History
from exporter.publish.metrics import CaptureStatus, ExporterStatus, Exposition, KubernetesStatus
from exporter.publish.page import landing_page
from exporter.publish.records import Record, event_record, rfc3339, vip_record
from exporter.publish.web import WebServer
from exporter.reconciler import Reconciler
from exporter.scheduler import Scheduler
from exporter.vip.core import Core
from exporter.vip.histogram import Histogram
from exporter.vip.model import SECOND, EventName, Input, IPAddress, LeaseGone, Nanoseconds, NodesSeen, ServiceGone
from exporter.vip.snapshot import Event
from exporter.wire.capture import Capture, default_interface
from exporter.wire.decode import Decoder

RECONCILE_EVERY: Nanoseconds = SECOND
UNHEALTHY_AFTER: Nanoseconds = 30 * SECOND
"""Without a reconciliation for so long, something is stuck that only a restart will mend."""
RECONCILE_BUCKETS = (0.0001, 0.001, 0.01, 0.1, 1.0, 10.0)


class App:
    """One running exporter.

    Args:
        config: what it was told.
        intent: the intent file's content; then Kubernetes is not asked.

    Raises:
        NoDefaultRouteError: no interface was named, and none can be chosen.
        ConfigurationError: no Kubernetes cluster is configured, or its kubeconfig is not there.
    """

    def __init__(self, config: Config, intent: IntentFile | None) -> None:
        self._config = config
        self._clock = Clock()
        self._started = self._clock.now()
        self._history = History(config.events_history)
        core = Core(
            at=self._started,
            observer=config.observer_name,
            settle=config.vip_settle_time,
            period=config.vip_period,
        )
        self._reconciler = Reconciler(core, clock=self._clock, publish=self._publish, watch=self._watch)
        self._captures = [
            Capture(
                device,
                decoder=Decoder(),
                clock=self._clock,
                deliver=self._reconciler.deliver,
                buffer_bytes=config.capture_buffer,
                on_error=lambda message, error: log.error(message, error=error),
            )
            for device in config.capture_interface or (default_interface(),)
        ]
        self._cluster = None
        if config.kubernetes_enabled and intent is None:
            find_configuration(str(config.kubernetes_kubeconfig or ""))
            self._cluster = ClusterWatcher(
                clock=self._clock,
                deliver=self._reconciler.deliver,
                kubeconfig=str(config.kubernetes_kubeconfig or ""),
                services=config.services_watch,
                timing=Timing(stale_after=config.intent_stale_after / SECOND),
            )
        self._intent = intent
        self._later: deque[Input] = deque()
        self._scheduler = Scheduler()
        self._reconciles = Counter({"success": 0, "error": 0})
        self._reconcile_duration = Histogram(RECONCILE_BUCKETS)
        self._last_reconcile = self._started
        self._reloaded = True
        self._reloaded_at = self._started
        exposition = Exposition(
            snapshot=self._reconciler.snapshot,
            status=self._status,
            to_wall=self._clock.to_wall,
            summary=lambda: self._config.metrics_detail == "summary",
        )
        self._web = WebServer(
            str(config.web_listen_address),
            metrics=exposition.render,
            ready=self._ready,
            healthy=self._healthy,
            page=self._page,
            vips=self._vips,
            events=self._events,
        )
        self._running = ExitStack()

    # --- start and stop -----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start every part; if one cannot, those before it are stopped again.

        Raises:
            ListenError: the address cannot be listened on.
            CaptureNotPermitted: CAP_NET_RAW is missing.
        """
        with ExitStack() as started:
            # Inputs end before what they are written to: the stack is left in the opposite order.
            self._web.start()
            started.callback(self._web.stop, 0.5)
            if self._intent is not None:
                self._play(self._intent)
            for capture in self._captures:
                capture.start()
                started.callback(capture.stop, 0.5)
            if self._cluster is not None:
                self._cluster.start()
                started.callback(self._cluster.stop)
                relist = self._config.services_relist_interval
                self._scheduler.every(relist, self._cluster.relist, name="relist")
            self._scheduler.every(RECONCILE_EVERY, self._reconcile, name="reconcile", done=self._reconciled)
            self._scheduler.start()
            started.callback(self._scheduler.stop)
            self._running = started.pop_all()
        log.info(
            "started",
            version=__version__,
            observer=self._config.observer_name,
            interfaces=[capture.device for capture in self._captures],
            port=self._web.port,
            intent="file" if self._intent else "kubernetes" if self._cluster else "none",
        )

    def stop(self) -> None:
        """Stop every part, the youngest first, within two seconds in all."""
        self._running.close()
        log.info("stopped")

    def reload(self, config: Config, intent: IntentFile | None) -> None:
        """Put a new configuration in force, as far as that goes without a restart."""
        self._config = config
        log.configure(level=config.log_level, format=config.log_format)
        if intent is not None and intent != self._intent:
            kept = {entry.service for entry in intent.entries}
            before = self._intent.entries if self._intent else ()
            now = self._clock.now()
            # What the new file leaves out must be taken back; what it says is said anew.
            taken_back: list[Input] = [ServiceGone(now, entry.service) for entry in before if entry.service not in kept]
            taken_back += [LeaseGone(now, address) for entry in before for address in entry.said.addresses]
            self._reconciler.deliver([*taken_back, NodesSeen(now, ())])
            self._play(intent)
            self._intent = intent
        self._reloaded, self._reloaded_at = True, self._clock.now()

    def refuse_reload(self) -> None:
        """Note that a new configuration was wrong and the old one stays."""
        self._reloaded = False

    # --- inputs -------------------------------------------------------------------------------------------------------

    def _play(self, intent: IntentFile) -> None:
        """Take what the intent file says now, and note what it says later."""
        plan = intent.plan(start=self._started, from_wall=self._clock.from_wall)
        self._reconciler.deliver(plan.initial)
        self._later = deque(plan.later)

    def _reconcile(self) -> None:
        now = self._clock.now()
        while self._later and self._later[0].at <= now:
            self._reconciler.deliver([self._later.popleft()])
        if self._cluster is not None:
            self._cluster.tick()
        self._reconciler.tick()

    def _reconciled(self, succeeded: bool, duration: Nanoseconds) -> None:
        self._reconciles["success" if succeeded else "error"] += 1
        self._reconcile_duration.observe(duration)
        self._last_reconcile = self._clock.now()

    # --- outputs ------------------------------------------------------------------------------------------------------

    def _publish(self, events: Iterable[Event]) -> None:
        for event in events:
            record = event_record(event, self._clock.to_wall)
            self._history.add(event, record)
            log.event(record)

    def _watch(self, vips: Mapping[IPAddress, int | None]) -> None:
        for capture in self._captures:
            capture.watch(vips)

    def _status(self) -> ExporterStatus:
        cluster = self._cluster.status() if self._cluster else None
        captures = [capture.stats() for capture in self._captures]
        return ExporterStatus(
            observer=self._config.observer_name,
            captures=[
                CaptureStatus(
                    device=stats.device,
                    up=stats.up,
                    frames=stats.frames,
                    dropped=stats.dropped,
                    reopens=stats.reopens,
                    last_frame=stats.last_frame_at,
                    ignored={str(reason): number for reason, number in stats.ignored.items()},
                )
                for stats in captures
            ],
            kubernetes=None if cluster is None else KubernetesStatus(cluster.up, cluster.last_sync, cluster.errors),
            reconciles=dict(self._reconciles),
            reconcile_duration=self._reconcile_duration.distribution(),
            log_suppressed={str(name): 0 for name in EventName} | log.suppressed(),
            config_reloaded=self._reloaded,
            config_reloaded_at=self._reloaded_at,
        )

    def _page(self) -> str:
        return landing_page(
            self._reconciler.snapshot(), observer=self._config.observer_name, to_wall=self._clock.to_wall
        )

    def _vips(self) -> Record:
        snapshot = self._reconciler.snapshot()
        return {
            "time": rfc3339(self._clock.to_wall(snapshot.at)),
            "observer": self._config.observer_name,
            "vips": [vip_record(vip, self._clock.to_wall) for vip in snapshot.vips],
        }

    def _events(self, *, vip: IPAddress | None, since: Nanoseconds | None, limit: int) -> Record:
        begin = None if since is None else self._clock.from_wall(since)
        return {"events": self._history.newest(vip=vip, since=begin, limit=limit)}

    def _healthy(self) -> tuple[bool, str]:
        dead = [capture.device for capture in self._captures if not capture.alive]
        if dead:
            return False, f"the capture thread of {', '.join(dead)} has ended"
        idle = self._clock.now() - self._last_reconcile
        if idle > UNHEALTHY_AFTER:
            return False, f"no reconciliation for {idle // SECOND} s"
        return True, "ok"

    def _ready(self) -> tuple[bool, str]:
        # Neither the API server nor a link that is down makes it unready: what it then knows is still worth serving.
        if not all(capture.alive for capture in self._captures):
            return False, "capture has not started"
        return self._healthy()
