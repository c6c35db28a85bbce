"""Watches what is bound on this node, in a thread of its own, and delivers it as inputs for the core.

The thread outlives whatever happens to its source: it says that nothing can be told, and goes on once it can.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from exporter import log
from exporter.clock import Clock
from exporter.host.addresses import HostTable
from exporter.host.netlink import IncompleteError, RouteSocket, Source
from exporter.vip.model import SECOND, HostLost, HostSeen, Input, Link, Nanoseconds, format_mac, seconds

REFRESH_INTERVAL: Nanoseconds = 60 * SECOND
"""How often to ask for everything although each change is noticed: nothing wrong shall last."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
"""Seconds between attempts to open the source."""
DUMP_PAUSE = 0.05
"""Seconds from a dump that a change has overtaken to the next."""


@dataclass(frozen=True, slots=True)
class HostStatus:
    up: bool
    """What is bound on this node is known."""
    reason: str
    """Why not; empty while it is, and before that can be said."""


class HostWatcher:
    """The node, or rather the network namespace, of the thread that calls `start`.

    Delivered are a `BoundSeen` for every address bound, then a `HostSeen`; later what differs from that, in this order.
    After a `HostLost` all of it comes again.

    Args:
        clock: the time line of all that is delivered.
        deliver: called in the watcher's thread. If it raises, all is delivered again a little later.
        ignore: patterns, with `*` and `?`, of interfaces that do not count.
        listening: interfaces that count as links even without an address.
        refresh: how often to ask for everything.
        open_source: what to read from.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        deliver: Callable[[Sequence[Input]], None],
        ignore: Sequence[str] = (),
        listening: Sequence[str] = (),
        refresh: Nanoseconds = REFRESH_INTERVAL,
        open_source: Callable[[], Source] = RouteSocket,
    ) -> None:
        self._clock = clock
        self._deliver = deliver
        self._refresh = refresh
        self._open_source = open_source
        self._table = HostTable(ignore=ignore, listening=listening)
        self._links: dict[str, Link] = {}
        self._up = False
        self._reason = ""
        self._reported: set[object] = set()
        self._recovery_unreported = False
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        weakref.finalize(self, os.close, self._wake)
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="host", daemon=True)

    def start(self) -> None:
        """Begin. Nothing that is missing on this machine is raised: `status` tells it, and the log, once."""
        self._thread.start()

    def stop(self, timeout: float = 1.0) -> bool:
        """End the thread, which takes it no time unless `deliver` does. Returns whether it has ended."""
        self._stopping = True
        os.eventfd_write(self._wake, 1)
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    @property
    def alive(self) -> bool:
        """Whether the thread runs. It ends by `stop` only; if it ever did otherwise, this is where it shows."""
        return self._thread.is_alive()

    def status(self) -> HostStatus:
        if self._thread.ident is not None and not self.alive:
            return HostStatus(up=False, reason="the thread has ended")
        return HostStatus(up=self._up, reason=self._reason)

    # --- all below runs in the watcher's thread ---------------------------------------------------------------------

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while not self._stopping:
            began = self._clock.now()
            try:
                with contextlib.closing(self._open_source()) as source:
                    self._follow(source)
            except Exception as error:  # noqa: BLE001 - a thread that ends is worse than any fault of the program
                if self._clock.now() - began > seconds(LONGEST_PAUSE):
                    pause = FIRST_PAUSE
                    self._reported.clear()
                self._lose(error)
                select.select([self._wake], [], [], pause)
                pause = min(2 * pause, LONGEST_PAUSE)

    def _follow(self, source: Source) -> None:
        poller = select.poll()
        poller.register(source.fileno(), select.POLLIN)
        poller.register(self._wake, select.POLLIN)
        next_dump = self._clock.now()
        while not self._stopping:
            try:
                if self._clock.now() >= next_dump:
                    self._table.replace(source.dump())
                    next_dump = self._clock.now() + self._refresh
                # All that was noticed before a dump is in it, and harmless: what came last of each is what it says.
                at = self._clock.now()
                self._table.apply(source.read())
            except IncompleteError:
                next_dump = 0
                select.select([self._wake], [], [], DUMP_PAUSE)
                continue
            self._tell(self._table.changes(at))
            poller.poll(max(0, next_dump - self._clock.now()) / 1e6)

    def _tell(self, inputs: Sequence[Input]) -> None:
        if not inputs:
            return
        self._up, self._reason = True, ""
        try:
            self._deliver(inputs)
        except Exception as error:
            raise _UndeliveredError(f"delivery failed: {error!r}") from error
        if self._recovery_unreported:
            self._recovery_unreported = False
            log.info("addresses of this node are watched again")
        for each in inputs:
            if isinstance(each, HostSeen):
                self._report_links(each.links)

    def _report_links(self, links: Sequence[Link]) -> None:
        """Log what an operator wants to find beside a move: a link that went, a bridge with another MAC."""
        for link in links:
            before = self._links.get(link.device, link)
            if link.up is not before.up:
                log.info("interface up" if link.up else "interface down", device=link.device)
            if link.mac != before.mac:
                old, new = ("" if mac is None else format_mac(mac) for mac in (before.mac, link.mac))
                log.info("interface has another MAC", device=link.device, mac=new, before=old)
        self._links = {link.device: link for link in links}

    def _lose(self, error: Exception) -> None:
        self._reason = _reason(error)
        kind = type(error), error.errno if isinstance(error, OSError) else None
        if kind not in self._reported:
            self._reported.add(kind)
            self._recovery_unreported = True
            report = log.warning if isinstance(error, OSError | ImportError) else log.error
            report("addresses of this node cannot be watched", reason=self._reason, error=error)
        self._table.forget()
        if self._up:
            self._up = False
            with contextlib.suppress(Exception):  # reported where it failed before, and what follows makes up for it
                self._deliver([HostLost(self._clock.now())])


class _UndeliveredError(Exception):
    """The fault of the receiver, not of the source."""


def _reason(error: Exception) -> str:
    match error:
        case PermissionError():
            return "not permitted to use netlink"
        case ImportError():
            return "pyroute2 cannot be loaded"
        case OSError(strerror=str(text)):
            return text
        case _UndeliveredError():
            return str(error)
    return f"{type(error).__name__}: {error}".removesuffix(": ")
