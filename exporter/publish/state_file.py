"""What outlives a restart: the last holder of each VIP and the events, kept in a file if the user names one.

The file is a help, never a condition: nothing here raises, waits for long, or keeps anything else from going on. While
the file cannot be used, that is said once, events wait in memory, and it is tried again.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from exporter import log
from exporter.clock import Clock
from exporter.publish.records import Record
from exporter.publish.state_store import LONGEST_WAIT, MOST_ROWS, LastHolder, PastEvent, Store, move_aside, read
from exporter.publish.state_trouble import StateFileError, Trouble
from exporter.vip.model import SECOND, IPAddress, Nanoseconds, Remembered, State, parse_mac
from exporter.vip.snapshot import Snapshot, VipSnapshot

MOST_WAITING = 10_000
"""Events that wait in memory for the file; the oldest give way."""
MOST_LOADED = 1000
FIRST_PAUSE: Nanoseconds = SECOND
LONGEST_PAUSE: Nanoseconds = 30 * SECOND
HANGS_AFTER: Nanoseconds = 30 * SECOND
"""An attempt that has lasted for so long may never end: a disk on a network can hang."""
TEND_EVERY: Nanoseconds = 3600 * SECOND
"""How often to delete what has grown too old while nothing new comes."""


@dataclass(frozen=True, slots=True)
class Past:
    """What an earlier run knew, on this run's time line."""

    holders: tuple[Remembered, ...] = ()
    events: tuple[PastEvent, ...] = ()
    """The newest, oldest of them first."""
    reason: str = ""
    """Why something, or all of it, is missing."""


def read_past(path: Path, clock: Clock, *, limit: int = MOST_LOADED) -> Past:
    """Read the file without changing it, whether or not an exporter is using it. Never raises.

    Args:
        path: the state file.
        clock: the time line of the result. What the file says to lie in the future counts as now.
        limit: events to read at most.
    """
    try:
        contents = read(path, limit=limit)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with the file, it is only a help
        return Past(reason=str(error))
    now = clock.now()

    def time(wall: Nanoseconds) -> Nanoseconds:
        return min(clock.from_wall(wall), now)

    return Past(
        holders=tuple(
            Remembered(now, row.vip, row.holder, row.mac, time(row.since), time(row.heard)) for row in contents.holders
        ),
        events=tuple(event._replace(at=time(event.at)) for event in contents.events),
        reason=f"{contents.unreadable} rows that make no sense are left out" if contents.unreadable else "",
    )


class StateFile:
    """The file of a running exporter. Safe to use from several threads; no method raises.

    Args:
        path: where it is, or is to be.
        retention: how long events are kept, and holders of VIPs that are not watched any more.
        clock: the time line of what goes in and comes out.
        most_events: kept in the file at most.
    """

    def __init__(self, path: Path, *, retention: Nanoseconds, clock: Clock, most_events: int = MOST_ROWS) -> None:
        self._works = False
        """It could be written when that was last tried."""
        self._trying_since: Nanoseconds | None = None
        """While it is being tried."""
        self.reason = "not opened yet"
        """Why not, and what to do."""
        self._path = path
        self._retention = retention
        self._clock = clock
        self._most_events = most_events
        # Held for moments only; what touches the disk holds the other one.
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Nanoseconds, Record]] = deque()
        self._lost = 0
        self._watched: frozenset[IPAddress] = frozenset()
        self._holders: dict[IPAddress, LastHolder] = {}
        self._disk = threading.Lock()
        self._store: Store | None = None
        self._closed = False
        self._written: dict[IPAddress, LastHolder] = {}
        self._tend_at = clock.now()
        self._moved_aside = False
        self._told: set[Trouble] = set()
        self._told_lost = False
        self._pause = FIRST_PAUSE
        self._retry_at = clock.now()

    @property
    def up(self) -> bool:
        """It could be written when that was last tried, and no attempt has lasted for long."""
        since = self._trying_since
        return self._works and (since is None or self._clock.now() - since < HANGS_AFTER)

    # --- what goes in -------------------------------------------------------------------------------------------------

    def note(self, record: Record, at: Nanoseconds) -> None:
        """Remember an event, and when it was, at the next flush. Never waits for the disk."""
        wall = self._clock.to_wall(at)
        with self._lock:
            self._waiting.append((wall, record))
            self._drop_surplus()

    def keep(self, snapshot: Snapshot) -> None:
        """Remember the present holders at the next flush. Where the wire names none, what was known last stays."""
        with self._lock:
            self._watched = frozenset(vip.address for vip in snapshot.vips)
            for vip in snapshot.vips:
                before = self._holders.get(vip.address)
                found = self._last_holder(vip, before)
                if found is not None and found != before:
                    self._holders[vip.address] = found
            for address in self._holders.keys() - self._watched:
                del self._holders[address]

    def _last_holder(self, vip: VipSnapshot, before: LastHolder | None) -> LastHolder | None:
        if vip.state is not State.HELD or vip.last_announcement is None:
            return None
        mac = parse_mac(vip.holder_mac) if vip.holder_mac else None
        heard = self._clock.to_wall(vip.last_announcement)
        if vip.holder_since is not None:
            since = self._clock.to_wall(vip.holder_since)
        elif before is not None and (before.holder, before.mac) == (vip.counted_from, mac):
            since = before.since
        else:
            since = heard
        return LastHolder(vip.address, vip.counted_from, mac, since, heard)

    # --- what goes to the disk, and comes back ------------------------------------------------------------------------

    def load(self, *, limit: int = MOST_LOADED) -> Past:
        """Open the file, or begin one, and say what it remembers: at most `limit` events."""
        self.flush()
        past = read_past(self._path, self._clock, limit=limit)
        if self.up and past.reason:
            log.warning("state file read in part", path=str(self._path), reason=past.reason)
        return past

    def flush(self) -> None:
        """Write what has come since the last time, in one transaction; if that fails, later."""
        # A disk that hangs holds up one thread, not all.
        if self._disk.acquire(timeout=LONGEST_WAIT):
            try:
                if not self._closed and self._clock.now() >= self._retry_at:
                    self._attempt()
            finally:
                self._disk.release()

    def close(self) -> None:
        """Write what is left, if that can be, and let go of the file. What comes afterwards is not written."""
        if self._disk.acquire(timeout=LONGEST_WAIT):
            try:
                if not self._closed:
                    self._attempt()
                    self._closed = True
                    self._let_go()
            finally:
                self._disk.release()

    def _attempt(self) -> None:
        self._trying_since = self._clock.now()
        try:
            try:
                self._write()
            except StateFileError as error:
                if error.trouble is not Trouble.CORRUPT or self._moved_aside:
                    raise
                self._let_go()
                self._begin_anew(error)
                self._write()
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the file, it is only a help
            self._let_go()
            self._failed(error)
        else:
            self._succeeded()
        finally:
            self._trying_since = None

    def _write(self) -> None:
        if self._store is None:
            self._store = Store(self._path)
            self._written = {}
        self._store.check_in_place()
        now = self._clock.now()
        with self._lock:
            events, self._waiting = self._waiting, deque()
            holders, watched = dict(self._holders), self._watched
        changed = [row for address, row in holders.items() if self._written.get(address) is not row]
        tending = now >= self._tend_at
        if not (events or changed or tending):
            return
        try:
            self._store.write(
                events=events,
                holders=changed,
                watched=watched if tending else None,
                now=self._clock.to_wall(now),
                retention=self._retention,
                most_events=self._most_events,
            )
        except BaseException:
            self._take_back(events)
            raise
        self._written = holders
        if tending:
            self._tend_at = now + min(TEND_EVERY, self._retention // 2)

    def _begin_anew(self, error: StateFileError) -> None:
        target = move_aside(self._path, now=self._clock.to_wall(self._clock.now()))
        self._moved_aside = True
        log.error(
            "state file corrupt, a new one is begun", path=str(self._path), moved_to=str(target), reason=error.problem
        )

    def _take_back(self, events: deque[tuple[Nanoseconds, Record]]) -> None:
        with self._lock:
            self._waiting.extendleft(reversed(events))
            self._drop_surplus()

    def _drop_surplus(self) -> None:
        while len(self._waiting) > MOST_WAITING:
            self._waiting.popleft()
            self._lost += 1

    def _let_go(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    # --- how it goes --------------------------------------------------------------------------------------------------

    def _failed(self, error: Exception) -> None:
        trouble = error.trouble if isinstance(error, StateFileError) else Trouble.FAILED
        self._works, self.reason = False, str(error)
        if trouble not in self._told:
            self._told.add(trouble)
            log.error("state file out of use", path=str(self._path), trouble=trouble, reason=self.reason)
        if self._lost and not self._told_lost:
            self._told_lost = True
            log.error("state file loses events", path=str(self._path), most_waiting=MOST_WAITING)
        self._retry_at = self._clock.now() + self._pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def _succeeded(self) -> None:
        self._works, self.reason = True, ""
        with self._lock:
            lost, self._lost = self._lost, 0
        if self._told or lost:
            log.info("state file works again", path=str(self._path), events_lost=lost)
        self._told.clear()
        self._told_lost = False
        self._pause, self._retry_at = FIRST_PAUSE, self._clock.now()
