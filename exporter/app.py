"""The composition root: builds the parts from a configuration, joins them, and starts and stops them in order.

Inputs ───────┐                              ┌─ log, history and state file
              ├─→ Reconciler (the core) ─→ ──┼─ metrics, page, API
scheduler ────┘                              ├─ which addresses to capture
                                             └─ how it does, to the service manager
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING

from exporter import __version__, log
from exporter.clock import Clock
from exporter.cluster.intent_file import IntentFile
from exporter.config import Config
from exporter.inputs import Inputs
from exporter.publish.history import History
from exporter.publish.moment import Moment
from exporter.publish.records import event_record
from exporter.publish.status import CaptureStatus, ExporterStatus, KubernetesStatus
from exporter.publish.status_line import status_line
from exporter.publish.web.door import FrontDoor
from exporter.publish.web.listen import Listening, listen
from exporter.publish.web.routes import Reloaded
from exporter.reconciler import Reconciler
from exporter.revision import revision
from exporter.service_manager import ServiceManager
from exporter.vip.core import Core
from exporter.vip.histogram import Histogram
from exporter.vip.model import SECOND, EventName, IPAddress, Nanoseconds, Source
from exporter.vip.snapshot import Event

if TYPE_CHECKING:
    from exporter.publish.page import Page
    from exporter.publish.state_file import StateFile
    from exporter.publish.web.server import WebServer
    from exporter.scheduler import Scheduler

RECONCILE_EVERY: Nanoseconds = SECOND
REMEMBER_EVERY: Nanoseconds = SECOND
REPORT_EVERY: Nanoseconds = 2 * SECOND
REMEMBER_ANYWAY: Nanoseconds = 10 * SECOND
"""Holders are written after each event, and this often without one, for when they were last heard."""
SEEN_FOR: Nanoseconds = SECOND // 2
UNHEALTHY_AFTER: Nanoseconds = 30 * SECOND
"""Without a reconciliation for so long, something is stuck that only a restart will mend."""
RECONCILE_BUCKETS = (0.0001, 0.001, 0.01, 0.1, 1.0, 10.0)


class App:
    """One running exporter.

    Args:
        config: what it was told.
        intent: the intent file's content; then Kubernetes is not asked.
        door: who is let in.
        reload: what `POST /-/reload` does.
        manager: is told how it does.

    Raises:
        NoDefaultRouteError: no interface was named, and none can be chosen.
        ConfigurationError: no Kubernetes cluster is configured, or its kubeconfig is not there.
    """

    def __init__(
        self,
        config: Config,
        intent: IntentFile | None,
        *,
        door: FrontDoor,
        reload: Callable[[], Reloaded],
        manager: ServiceManager,
    ) -> None:
        self._config = config
        self._door = door
        self._manager = manager
        self._clock = Clock()
        self._started = self._clock.now()
        self._revision = revision()
        self._history = History(config.events_history)
        core = Core(
            at=self._started,
            observer=config.observer_name,
            settle=config.vip_settle_time,
            period=config.vip_period,
        )
        self._reconciler = Reconciler(
            core,
            clock=self._clock,
            publish=self._publish,
            watch=self._watch,
        )
        self._inputs = Inputs(
            config, intent, clock=self._clock, reconciler=self._reconciler, lacking=_do_without_nothing
        )
        self._state = self._build_state(config)
        self._shared_macs: Mapping[str, tuple[str, ...]] = {}
        self._to_remember = True
        self._remembered_at = self._started
        self._reconciles = Counter({"success": 0, "error": 0})
        self._reconcile_duration = Histogram(RECONCILE_BUCKETS)
        self._last_reconcile = self._started
        self._reloaded = True
        self._reloaded_at = self._started
        self._seen: Moment | None = None
        self._seeing = Lock()
        self._reload = reload
        self._web: WebServer
        self._scheduler: Scheduler
        self._running = ExitStack()
        self._complete = False
        """Started, and not being stopped."""

    def _build_state(self, config: Config) -> StateFile | None:
        if config.state_path is None:
            return None
        # Brings a database, which takes memory also where nothing is to be remembered.
        from exporter.publish.state_file import StateFile

        return StateFile(config.state_path, retention=config.state_retention, clock=self._clock)

    # --- start and stop -----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start every part; if one cannot, those before it are stopped again.

        Raises:
            ListenError: an address cannot be listened on.
            CaptureNotPermitted: CAP_NET_RAW is missing.
        """
        with ExitStack() as started:
            # First, so that an address that is taken is found out before anything is touched.
            listening = listen(self._config.web_listen_address)
            started.callback(listening.close)
            # Inputs end before what they are written to: the stack is left in the opposite order.
            if self._state is not None:
                self._recall(self._state)
                started.callback(self._state.close)
                started.callback(self._remember, at_once=True)
            self._inputs.start()
            started.callback(self._inputs.stop)
            # Frames are captured from here on. What the rest imports takes as long as everything before it.
            self._web = self._build_web(listening)
            self._web.start()
            started.callback(self._web.stop, 0.5)
            self._scheduler = self._build_scheduler()
            self._scheduler.start()
            started.callback(self._scheduler.stop)
            self._running = started.pop_all()
        self._complete = True
        log.info(
            "started",
            version=__version__,
            observer=self._config.observer_name,
            interfaces=[capture.device for capture in self._inputs.captures],
            listening=[str(address) for address in self._config.web_listen_address],
            tls=self._door.tls_context() is not None,
            login=self._door.needs_login,
            intent="file" if self._config.intent_file else "kubernetes" if self._inputs.cluster else "none",
        )
        if self._manager.listens:
            self._report()

    def _build_web(self, listening: Listening) -> WebServer:
        from exporter.publish.api import events_answer, vips_answer
        from exporter.publish.metrics import Exposition
        from exporter.publish.web.openapi import document
        from exporter.publish.web.routes import Content
        from exporter.publish.web.server import WebServer

        snapshot, to_wall, observer = self._reconciler.snapshot, self._clock.to_wall, self._config.observer_name
        exposition = Exposition(
            snapshot=snapshot,
            status=self._status,
            to_wall=to_wall,
            observer=observer,
            summary=lambda: self._config.metrics_detail == "summary",
        )
        content = Content(
            metrics=exposition.render,
            ready=self._ready,
            healthy=self.healthy,
            page=lambda query: self._page.document(query.vips),
            page_policy=lambda: self._page.policy,
            parts=lambda query: self._page.parts(query.vips),
            vips=lambda query: vips_answer(snapshot(), query, observer=observer, to_wall=to_wall),
            events=lambda query: events_answer(self._history, query, from_wall=self._clock.from_wall),
            openapi=document,
            reload=self._reload if self._config.web_enable_lifecycle else None,
        )
        return WebServer(listening, door=self._door, content=content)

    def _build_scheduler(self) -> Scheduler:
        from exporter.scheduler import Scheduler

        scheduler = Scheduler()
        if self._state is not None:
            scheduler.every(REMEMBER_EVERY, self._remember, name="remember")
        scheduler.every(self._config.services_relist_interval, self._inputs.relist, name="relist")
        scheduler.every(RECONCILE_EVERY, self._reconcile, name="reconcile", done=self._reconciled)
        if self._manager.listens:
            scheduler.every(REPORT_EVERY, self._report, name="report")
        if self._manager.sign_of_life_every is not None:
            # Not done by the former, which waits for the core: what a stuck core is worth, `healthy` says.
            scheduler.every(self._manager.sign_of_life_every, self._give_sign_of_life, name="sign of life")
        return scheduler

    def stop(self) -> None:
        """Stop every part, the youngest first, within two seconds in all."""
        self._complete = False
        self._manager.stopping()
        self._running.close()
        log.info("stopped")

    def reload(self, config: Config, intent: IntentFile | None) -> None:
        """Put a new configuration in force, as far as that goes without a restart.

        Raises:
            WebConfigError: the file with TLS and users is wrong; then nothing has changed.
        """
        self._door.reload()
        self._config = config
        log.configure(level=config.log_level, format=config.log_format)
        if intent is not None:
            self._inputs.replace_intent(intent)
        self._reloaded, self._reloaded_at = True, self._clock.now()

    def refuse_reload(self) -> None:
        """Note that a new configuration was wrong and the old one stays."""
        self._reloaded = False

    # --- what is periodic ---------------------------------------------------------------------------------------------

    def _reconcile(self) -> None:
        self._inputs.tick()
        self._reconciler.tick()
        self._report_shared_macs(self._reconciler.shared_macs())

    def _report_shared_macs(self, shared: Mapping[str, tuple[str, ...]]) -> None:
        """Log a MAC that several nodes claim, once: it can name none of them, so the wire tells less than it might."""
        for mac in shared.keys() - self._shared_macs.keys():
            log.warning("a MAC is claimed by several nodes", mac=mac, nodes=list(shared[mac]))
        self._shared_macs = shared

    def _reconciled(self, succeeded: bool, duration: Nanoseconds) -> None:
        self._reconciles["success" if succeeded else "error"] += 1
        self._reconcile_duration.observe(duration)
        self._last_reconcile = self._clock.now()

    def _recall(self, state: StateFile) -> None:
        """Take up what an earlier run knew, before anything new is heard."""
        past = state.load(limit=self._config.events_history)
        for at, vip, record in past.events:
            self._history.add(at=at, vip=vip, record=record)
        self._reconciler.deliver(past.holders)

    def _remember(self, *, at_once: bool = False) -> None:
        """Write what has happened, and who holds what."""
        assert self._state is not None
        now = self._clock.now()
        if at_once or self._to_remember or now - self._remembered_at >= REMEMBER_ANYWAY:
            self._to_remember, self._remembered_at = False, now
            self._state.keep(self._reconciler.snapshot())
        self._state.flush()

    def _report(self) -> None:
        """Tell the service manager how it is."""
        ready, _ = self._ready()
        healthy, status = self.healthy()
        if healthy:
            moment = self._see()
            status = status_line(moment.snapshot, moment.status)
        self._manager.tell(ready=ready, status=status)

    def _give_sign_of_life(self) -> None:
        healthy, _ = self.healthy()
        if healthy:
            self._manager.sign_of_life()

    # --- outputs ------------------------------------------------------------------------------------------------------

    def _publish(self, events: Iterable[Event]) -> None:
        for event in events:
            record = event_record(event, self._clock.to_wall)
            self._history.add(at=event.at, vip=event.vip, record=record)
            log.event(record)
            if self._state is not None:
                self._state.note(record, event.at)
                self._to_remember = True

    def _watch(self, vips: Mapping[IPAddress, int | None], neighbours: frozenset[IPAddress]) -> None:
        self._inputs.watch(vips, neighbours)

    def _status(self) -> ExporterStatus:
        cluster = self._inputs.cluster.status() if self._inputs.cluster else None
        captures = [capture.stats() for capture in self._inputs.captures]
        return ExporterStatus(
            observer=self._config.observer_name,
            revision=self._revision,
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
            config_reloaded=self._reloaded and not self._door.problems,
            config_reloaded_at=max(self._reloaded_at, self._door.read_at),
            state_file_up=None if self._state is None else self._state.up,
        )

    @cached_property
    def _page(self) -> Page:
        # Imported for the first who looks at it. Most exporters of a cluster are only ever scraped.
        from exporter.publish.page import Page

        return Page(self._see)

    def _see(self) -> Moment:
        """What the page shows. All who look within half a second see the same: a snapshot of many VIPs takes long."""
        with self._seeing:
            if self._seen is None or self._clock.now() - self._seen.snapshot.at > SEEN_FOR:
                self._seen = Moment(
                    snapshot=self._reconciler.snapshot(),
                    status=self._status(),
                    healthy=self.healthy(),
                    ready=self._ready(),
                    events=self._history.newest,
                    to_wall=self._clock.to_wall,
                )
            return self._seen

    def died(self) -> str:
        """Which thread has ended though nobody stopped it, in words; empty: none. Only a new start brings it back."""
        if not self._complete:
            return ""
        inputs = self._inputs
        died = [f"the capture thread of {capture.device}" for capture in inputs.captures if not capture.alive]
        if inputs.host is not None and not inputs.host.alive:
            died.append("the thread that watches this host")
        if inputs.cluster is not None:
            died += [f"the thread that watches {target}" for target in inputs.cluster.died()]
        if not self._scheduler.alive:
            died.append("the scheduler's thread")
        if not self._web.alive:
            # Nobody is told this over HTTP.
            died.append("the web server's thread")
        return f"{died[0]} has ended" if died else ""

    def healthy(self) -> tuple[bool, str]:
        """Whether it does what it is for, and why not. Waits for nothing, however much hangs."""
        if not self._complete:
            return False, "not started yet, or being stopped"
        if died := self.died():
            return False, died
        idle = self._clock.now() - self._last_reconcile
        if idle > UNHEALTHY_AFTER:
            return False, f"no reconciliation for {idle // SECOND} s"
        return True, "ok"

    def _ready(self) -> tuple[bool, str]:
        # Neither the API server nor a link that is down makes it unready: what it then knows is still worth serving.
        if not all(capture.alive for capture in self._inputs.captures):
            return False, "capture has not started"
        return self.healthy()


def _do_without_nothing(_source: Source, reason: Exception) -> None:
    """A watch that lacks a source that it was told to have would look like one that has nothing to say."""
    raise reason
