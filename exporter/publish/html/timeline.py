"""What held when, told from the records of events: spans of time, and marks of moves and contests. Makes no HTML.

Records that are missing, repeated, odd or out of order make the answer poorer, never an exception. Times are wall
clock, nanoseconds since 1970, UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from exporter.publish.html.told import event_name, happened, in_order, text, time
from exporter.publish.records import Record, ToWall
from exporter.vip.model import SECOND, EventName, Nanoseconds, Source, State
from exporter.vip.nodes import same_node
from exporter.vip.snapshot import VipSnapshot

_MINUTE = 60 * SECOND
WINDOWS: tuple[Nanoseconds, ...] = (10 * _MINUTE, 60 * _MINUTE, 360 * _MINUTE, 1440 * _MINUTE, 10_080 * _MINUTE)
"""How far back the live page may look: 10 minutes, 1 hour, 6 hours, 1 day, 7 days."""
SHOWN = 8
"""Transitions that the window should have room for."""
STEPS = 60
"""Of a window. It ends with a whole one, so that the picture stands still while nothing happens."""

_TRANSITIONS = frozenset(
    {
        EventName.VIP_MOVED,
        EventName.CONTEST_STARTED,
        EventName.CONTEST_ENDED,
        EventName.VIP_SILENT,
        EventName.VIP_RETURNED,
        EventName.CAPTURE_LOST,
        EventName.CAPTURE_RESTORED,
    }
)


class MarkKind(StrEnum):
    MOVE = "move"
    CONTEST = "contest"


@dataclass(frozen=True, slots=True)
class Span:
    """From `begin` up to `end` this was so."""

    begin: Nanoseconds
    end: Nanoseconds
    state: State
    holder: str = ""
    """The node, else the MAC; of a move the new one. Empty unless the VIP is held or moving."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A move (at the new holder's first announcement) or the start of a contest."""

    at: Nanoseconds
    kind: MarkKind


# --- what held when ---------------------------------------------------------------------------------------------------


def window(records: Iterable[Record], now: Nanoseconds) -> tuple[Nanoseconds, Nanoseconds]:
    """The smallest of `WINDOWS` that has the last `SHOWN` transitions; it ends now, or up to a step later."""
    times = sorted(at for record in records if event_name(record) in _TRANSITIONS and (at := time(record)) is not None)
    oldest = min([now, *times[-SHOWN:]])
    for width in WINDOWS:
        step = width // STEPS
        end = -(-now // step) * step
        if end - width <= oldest:
            break
    return end - width, end


def spans(
    records: Iterable[Record],
    *,
    begin: Nanoseconds,
    end: Nanoseconds,
    vip: VipSnapshot,
    to_wall: ToWall,
    devices: Collection[str] = (),
) -> tuple[Span, ...]:
    """One VIP from `begin` to `end` without a gap, as its events tell, and at last as it is now.

    Args:
        records: the VIP's, and the exporter's own (which tell when nothing could be heard).
        vip: as it is at `end`.
        to_wall: what the snapshot's times stand for.
        devices: the interfaces listened on, as far as known: only without any of them was nothing heard.
    """
    events = in_order(records)
    story = _Story(_resolver(events, vip))
    for at, record in events:
        story.take(at, record)
    blind = _blind(events, devices)
    if blind and blind[-1][1] is None and vip.state is not State.UNKNOWN:
        blind.pop()  # something is heard, on an interface that no event speaks of
    changes = story.changes_with(blind)
    _end_in(vip, changes, to_wall, late=end - max(0, end - begin) // STEPS, resolve=story.resolve)
    return _between(begin, end, changes)


def marks(records: Iterable[Record], *, begin: Nanoseconds, end: Nanoseconds) -> tuple[Mark, ...]:
    """The moves and contests in that time, each once, in order."""
    found = set()
    for at, record in in_order(records):
        match event_name(record):
            case EventName.VIP_MOVED:
                found.add(Mark(happened(record) or at, MarkKind.MOVE))
            case EventName.CONTEST_STARTED:
                found.add(Mark(at, MarkKind.CONTEST))
    return tuple(sorted((mark for mark in found if begin <= mark.at <= end), key=lambda mark: (mark.at, mark.kind)))


@dataclass(frozen=True, slots=True)
class _Change:
    at: Nanoseconds
    state: State
    holder: str = ""


_LONG_AGO: Nanoseconds = -(1 << 80)
_UNTOLD = _Change(_LONG_AGO, State.UNKNOWN)


class _Story:
    """The states that the events of one VIP tell, in order: each change holds until the next."""

    def __init__(self, resolve: Callable[[str, str], str]) -> None:
        self.resolve = resolve
        self._changes = [_UNTOLD]

    def take(self, at: Nanoseconds, record: Record) -> None:
        """The next event."""
        match event_name(record):
            case EventName.VIP_SEEN | EventName.VIP_RETURNED:
                self._become(at, State.HELD, self._who(record, "holder", "mac"))
            case EventName.VIP_MOVED:
                self._move(at, record)
            case EventName.MAC_CHANGED:
                # The same holder: where only the old MAC names a node, the new one is that node's.
                holder = self._who(record, "to", "") or self._who(record, "from", "") or self._who(record, "", "to_mac")
                self._presume(self._who(record, "from", "from_mac"))
                self._become(at, State.HELD, holder)
            case EventName.CLAIM_WITHDRAWN:
                if self._last.state is State.UNKNOWN:
                    self._become(at, State.HELD, self._who(record, "holder", "holder_mac"))
            case EventName.CONTEST_STARTED:
                self._presume(self._who(record, "from", "from_mac"))
                self._become(at, State.CONTESTED)
            case EventName.CONTEST_ENDED:
                self._become(at, State.HELD, self._who(record, "to", "to_mac"))
            case EventName.VIP_SILENT:
                if text(record, "mac"):  # otherwise nobody was ever heard
                    self._presume(self._who(record, "holder", "mac"))
                self._become(at, State.SILENT)

    def changes_with(self, blind: Iterable[tuple[Nanoseconds, Nanoseconds | None]]) -> list[_Change]:
        """The changes, with stretches in which nothing could be heard laid over them."""
        changes = self._changes
        for begin, end in blind:
            after = [change for change in changes if end is not None and change.at > end]
            resumed = [] if end is None else [replace(_resumed(changes, begin, end), at=end)]
            before = [change for change in changes if change.at < begin]
            changes = [*before, _Change(begin, State.UNKNOWN), *resumed, *after]
        return changes

    @property
    def _last(self) -> _Change:
        return self._changes[-1]

    def _become(self, at: Nanoseconds, state: State, holder: str = "") -> None:
        self._changes.append(_Change(at, state, holder))

    def _presume(self, holder: str) -> None:
        """The next event says who held it until then; nothing before has said anything."""
        if holder and self._changes == [_UNTOLD]:
            self._changes[0] = replace(_UNTOLD, state=State.HELD, holder=holder)

    def _move(self, at: Nanoseconds, record: Record) -> None:
        since = happened(record) or at
        old, new = self._who(record, "from", "from_mac"), self._who(record, "to", "to_mac")
        if text(record, "source") in ("", Source.WIRE):
            self._presume(old)
            self._overlay(since, at, State.MOVING, new)
            self._become(at, State.HELD, new)
        elif text(record, "to_mac"):  # somebody announces it, from a MAC that tells no nodes apart
            self._presume(old)
            if old and self._last.holder == text(record, "from_mac"):
                self._changes[-1] = replace(self._last, holder=old)
            self._overlay(since, at, State.HELD, new)
            self._become(at, State.HELD, new)
        # Otherwise the wire is mute, and stays so.

    def _overlay(self, begin: Nanoseconds, end: Nanoseconds, state: State, holder: str) -> None:
        """It turned out later what was the matter between these; a contest remains one."""
        if begin >= end:
            return
        changes, over = self._changes, _Change(begin, state, holder)
        under = next(change for change in reversed(changes) if change.at <= begin)
        covered = [replace(under, at=begin), *(change for change in changes if begin < change.at < end)]
        self._changes = [
            *(change for change in changes if change.at < begin),
            *(change if change.state is State.CONTESTED else replace(over, at=change.at) for change in covered),
            *(change for change in changes if change.at >= end),
        ]

    def _who(self, record: Record, name: str, mac: str) -> str:
        return self.resolve(text(record, name), text(record, mac))


def _resumed(changes: Sequence[_Change], begin: Nanoseconds, end: Nanoseconds) -> _Change:
    """What was so after a stretch in which nothing was heard: as before, with whatever was open forgotten."""
    within = [change for change in changes if begin <= change.at <= end]
    if within:
        return within[-1]
    before = [change for change in changes if change.at < begin]
    if before[-1].state is State.HELD:
        return before[-1]
    if before[-1].state is State.SILENT:
        return _UNTOLD
    return next((change for change in reversed(before) if change.state is State.HELD), _UNTOLD)


def _blind(
    events: Iterable[tuple[Nanoseconds, Record]], devices: Collection[str]
) -> list[tuple[Nanoseconds, Nanoseconds | None]]:
    """When no interface could be listened on; None: that is still so."""
    known = {*devices, *(text(record, "device") for _, record in events if _is_capture(record))}
    lost: set[str] = set()
    stretches: list[tuple[Nanoseconds, Nanoseconds | None]] = []
    since: Nanoseconds | None = None
    for at, record in events:
        if not _is_capture(record):
            continue
        if event_name(record) is EventName.CAPTURE_LOST:
            lost.add(text(record, "device"))
        else:
            lost.discard(text(record, "device"))
        if since is None and lost == known:
            since = at
        elif since is not None and lost != known:
            stretches.append((since, at))
            since = None
    return stretches if since is None else [*stretches, (since, None)]


def _is_capture(record: Record) -> bool:
    return event_name(record) in (EventName.CAPTURE_LOST, EventName.CAPTURE_RESTORED)


def _end_in(
    vip: VipSnapshot,
    changes: list[_Change],
    to_wall: ToWall,
    *,
    late: Nanoseconds,
    resolve: Callable[[str, str], str],
) -> None:
    """Let the story end in what is so now.

    No event tells that an episode has begun, nor that somebody was heard again after a blind stretch. What began at a
    moment that nothing tells is shown from `late` on.
    """
    last = changes[-1]
    holder = resolve(vip.holder, vip.holder_mac) if vip.state in (State.HELD, State.MOVING) else ""
    if last.state is vip.state and (vip.state is not State.HELD or _same_holder(last.holder, holder)):
        return
    since = None if vip.holder_since is None else to_wall(vip.holder_since)
    if vip.state is State.HELD and (last.state is State.UNKNOWN or (since is not None and since > last.at)):
        at = late if since is None else since
    else:
        at = late
    changes.append(_Change(max(at, last.at), vip.state, holder))


def _between(begin: Nanoseconds, end: Nanoseconds, changes: Sequence[_Change]) -> tuple[Span, ...]:
    """Those changes as spans, clipped, neighbours that say the same as one."""
    found: list[Span] = []
    ends = [*(change.at for change in changes[1:]), max(end, changes[-1].at)]
    for change, until in zip(changes, ends, strict=True):
        first, last = max(change.at, begin), min(until, end)
        if first >= last:
            continue
        before = found[-1] if found else None
        if before is not None and before.state is change.state and _same_holder(before.holder, change.holder):
            found[-1] = replace(before, end=last)
        else:
            found.append(Span(first, last, change.state, change.holder))
    return tuple(found)


def _same_holder(one: str, other: str) -> bool:
    return one == other or bool(one and other and same_node(one, other))


# --- who is who -------------------------------------------------------------------------------------------------------

_NAMED_BY = (("holder", "mac"), ("from", "from_mac"), ("to", "to_mac"), ("claimant", "mac"), ("holder", "holder_mac"))


def _resolver(events: Iterable[tuple[Nanoseconds, Record]], vip: VipSnapshot) -> Callable[[str, str], str]:
    """Names a holder: by the node, else by the only node that its MAC was ever said to be of, else by the MAC."""
    nodes: dict[str, set[str]] = {}
    pairs = [(vip.holder, vip.holder_mac), *((claimant.holder, claimant.mac) for claimant in vip.listed_claimants)]
    for _, record in events:
        # Of a withdrawn claim, `mac` is the claimant's.
        wrong = ("holder", "mac") if event_name(record) is EventName.CLAIM_WITHDRAWN else None
        pairs += [(text(record, name), text(record, mac)) for name, mac in _NAMED_BY if (name, mac) != wrong]
    for node, mac in pairs:
        if node and mac:
            nodes.setdefault(mac, set()).add(node)

    def resolve(node: str, mac: str) -> str:
        known = nodes.get(mac, ())
        return node or (next(iter(known)) if len(known) == 1 else mac)

    return resolve
