"""What became of one VIP in a capture, in words. Knows no HTML."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from exporter.publish.html.sentence import briefly, named, sentence
from exporter.publish.html.timeline import Span
from exporter.publish.html.told import event_name, number, text, time
from exporter.publish.html.words import listed
from exporter.publish.length import length
from exporter.publish.records import Record
from exporter.vip.model import SECOND, EventName, Nanoseconds, State
from exporter.vip.snapshot import Claimant, VipSnapshot

Clock = Callable[[Nanoseconds], str]
"""A moment in words."""


def verdict(vip: VipSnapshot, records: Sequence[Record], spans: Sequence[Span], clock: Clock) -> tuple[str, ...]:
    """Sentences, the most important ones first.

    Args:
        vip: at the end of the capture.
        records: the VIP's events, all of them, in order.
        spans: from the first packet to the last.
    """
    found: dict[EventName | None, list[Record]] = {}
    for record in records:
        found.setdefault(event_name(record), []).append(record)
    if not sum(vip.announcements.values()):
        sources = f" By the {vip.holder_source}, {vip.holder} holds it." if vip.holder_source else ""
        return (f"Nobody announced {vip.address} in this capture.{sources}",)
    moves = found.get(EventName.VIP_MOVED, ())
    troubles = (
        *_contests(found.get(EventName.CONTEST_STARTED, ()), spans, clock),
        *_silences(spans, clock),
    )
    first, *rest = (
        *_moves(moves, clock),
        *troubles,
        *([] if moves else [_unmoved(vip, spans, troubled=bool(troubles))]),
        *_asides(vip, found),
        _at_the_end(vip),
    )
    return (f"{vip.address}{first.removeprefix('It')}", *rest)


def _moves(moves: Sequence[Record], clock: Clock) -> Iterator[str]:
    if len(moves) == 1:
        yield f"It {sentence(moves[0])}, at {_began(moves[0], clock)}."
    elif moves:
        first, last = (
            f"from {briefly(move, 'from', 'from_mac')} to {briefly(move, 'to', 'to_mac')} at {_began(move, clock)}"
            for move in (moves[0], moves[-1])
        )
        yield f"It moved {often(len(moves))}: first {first}, last {last}."
        gaps = [gap for move in moves if (gap := number(move, "handover_seconds"))]
        if gaps:
            yield f"The longest time without an announcement was {length(round(max(gaps) * SECOND))}."


def _unmoved(vip: VipSnapshot, spans: Sequence[Span], *, troubled: bool) -> str:
    if troubled or vip.state is not State.HELD:
        return "It did not move."
    holder = next((span.holder for span in spans if span.holder), "")
    return f"It was held by {holder} all the time."


def _contests(contests: Sequence[Record], spans: Sequence[Span], clock: Clock) -> Iterator[str]:
    if contests:
        total, first = length(_total(spans, State.CONTESTED)), contests[0]
        by = f"{named(first, 'to', 'to_mac')} announced it beside {briefly(first, 'from', 'from_mac')}"
        if len(contests) == 1:
            yield f"It was contested for {total} from {_began(first, clock)}: {by}."
        else:
            yield f"It was contested {often(len(contests))}, for {total} in all. At {_began(first, clock)}, {by}."


def _silences(spans: Sequence[Span], clock: Clock) -> Iterator[str]:
    silences = [span for span in spans if span.state is State.SILENT]
    if silences:
        total, since = length(_total(spans, State.SILENT)), clock(silences[0].begin)
        if len(silences) == 1:
            yield f"It was silent for {total} from {since}."
        else:
            yield f"It was silent {often(len(silences))}, for {total} in all, first from {since}."


def _asides(vip: VipSnapshot, found: dict[EventName | None, list[Record]]) -> Iterator[str]:
    withdrawn, changes = vip.withdrawn_claims, vip.mac_changes
    if withdrawn:
        whose = tuple(
            dict.fromkeys(text(one, "claimant") or text(one, "mac") for one in found.get(EventName.CLAIM_WITHDRAWN, ()))
        )
        by = f" by {listed(whose)}" if len(whose) <= 3 else ""
        yield f"{_times(withdrawn, 'claim')}{by} beside the holder came to nothing."
    if changes:
        yield f"The holder went over to another MAC {often(changes)}."
    if vip.claimants_overflow:
        yield f"More claimed it than are told apart: {_times(vip.claimants_overflow, 'claim')} had no room."
    checks = tuple(dict.fromkeys(text(one, "check") for one in found.get(EventName.MISMATCH_STARTED, ())))
    if checks:
        left = "and still do at the end" if vip.mismatches else "but not at the end any more"
        yield f"The sources contradicted each other (mismatch {listed(checks)}), {left}."


def _at_the_end(vip: VipSnapshot) -> str:
    claimants = listed(tuple(map(_claimant, vip.claimants)))
    match vip.state:
        case State.HELD:
            holder = f"{vip.holder} ({vip.holder_mac})" if vip.holder and vip.holder_mac else vip.holder
            return f"At the end {holder or vip.holder_mac} holds it."
        case State.MOVING:
            return f"At the end it is moving: {claimants} announce it, and it is not decided yet."
        case State.CONTESTED:
            return f"At the end it is still contested, by {claimants}."
        case State.SILENT:
            return "At the end nobody announces it."
        case State.UNKNOWN:
            return "At the end nobody is known to hold it."


def _claimant(claimant: Claimant) -> str:
    return f"{claimant.holder} ({claimant.mac})" if claimant.holder else claimant.mac


def _began(record: Record, clock: Clock) -> str:
    since = time(record, "since")
    return clock(since if since is not None else time(record) or 0)


def _total(spans: Sequence[Span], state: State) -> Nanoseconds:
    return sum(span.end - span.begin for span in spans if span.state is state)


def _times(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def often(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count:,} times")
