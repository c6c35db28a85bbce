"""What became of one VIP in a capture, in words. Knows no HTML."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from exporter.publish.length import length
from exporter.publish.page.sentence import briefly, named, sentence
from exporter.publish.page.timeline import Span
from exporter.publish.page.told import event_name, number, text, time
from exporter.publish.page.words import listed
from exporter.publish.records import Record
from exporter.vip.model import EventName, Nanoseconds, State
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
    return (
        *_moves(vip, found.get(EventName.VIP_MOVED, ()), spans, clock),
        *_contests(found.get(EventName.CONTEST_STARTED, ()), spans, clock),
        *_silences(spans, clock),
        *_asides(vip, found),
        _at_the_end(vip),
    )


def _moves(vip: VipSnapshot, moves: Sequence[Record], spans: Sequence[Span], clock: Clock) -> Iterator[str]:
    if not moves:
        holder = next((span.holder for span in spans if span.holder), "")
        troubled = any(span.state in (State.CONTESTED, State.SILENT) for span in spans)
        if troubled or vip.state is not State.HELD:
            yield f"{vip.address} did not move{f' from {holder}' if holder else ''}."
        else:
            yield f"{vip.address} was held by {holder} all the time, and did not move."
    elif len(moves) == 1:
        yield f"{vip.address} {sentence(moves[0])}, at {_began(moves[0], clock)}."
    else:
        first, last = (f"{sentence(move)}, at {_began(move, clock)}" for move in (moves[0], moves[-1]))
        times = "twice" if len(moves) == 2 else f"{len(moves):,} times"
        yield f"{vip.address} moved {times}. At first it {first}. At last it {last}."
        gaps = [gap for move in moves if (gap := number(move, "handover_seconds"))]
        if len(moves) > 2 and gaps:
            yield f"The longest time without an announcement in a move was {length(round(max(gaps) * 1e9))}."


def _contests(contests: Sequence[Record], spans: Sequence[Span], clock: Clock) -> Iterator[str]:
    if contests:
        total, first = length(_total(spans, State.CONTESTED)), contests[0]
        by = f"{named(first, 'to', 'to_mac')} announced it beside {briefly(first, 'from', 'from_mac')}"
        if len(contests) == 1:
            yield f"It was contested for {total} from {_began(first, clock)}: {by}."
        else:
            yield f"It was contested {len(contests):,} times, for {total} in all. At {_began(first, clock)}, {by}."


def _silences(spans: Sequence[Span], clock: Clock) -> Iterator[str]:
    silences = [span for span in spans if span.state is State.SILENT]
    if silences:
        total, times = length(_total(spans, State.SILENT)), f"{len(silences):,} times, " if len(silences) > 1 else ""
        first = "at first " if len(silences) > 1 else ""
        yield f"It was silent {times}for {total}, {first}from {clock(silences[0].begin)}."


def _asides(vip: VipSnapshot, found: dict[EventName | None, list[Record]]) -> Iterator[str]:
    withdrawn, changes = vip.withdrawn_claims, vip.mac_changes
    if withdrawn:
        whose = tuple(
            dict.fromkeys(text(one, "claimant") or text(one, "mac") for one in found.get(EventName.CLAIM_WITHDRAWN, ()))
        )
        by = f" by {listed(whose)}" if len(whose) <= 3 else ""
        yield f"{_times(withdrawn, 'claim')}{by} beside the holder came to nothing."
    if changes:
        yield f"The holder went over to another MAC {'once' if changes == 1 else f'{changes:,} times'}."
    if vip.claimants_overflow:
        yield f"More claimed it than are told apart: {_times(vip.claimants_overflow, 'claim')} had no room."
    checks = tuple(dict.fromkeys(f"`{text(one, 'check')}`" for one in found.get(EventName.MISMATCH_STARTED, ())))
    if checks:
        left = "and still do at the end" if vip.mismatches else "but not at the end any more"
        yield f"The sources contradicted each other ({listed(checks)}), {left}."


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
