"""A replayed capture as text for a terminal: the verdict on each VIP, then what happened, in order."""

from __future__ import annotations

from collections.abc import Iterator

from exporter.publish.records import event_record, rfc3339
from exporter.publish.replayed import Replay
from exporter.vip.model import SECOND, Nanoseconds
from exporter.vip.snapshot import Event, VipSnapshot

_ALWAYS_SHOWN = ("moves", "contests")
_SHOWN_ELSEWHERE = ("time", "vip", "event")


def text_report(replay: Replay) -> str:
    return "\n".join(_lines(replay)) + "\n"


def _lines(replay: Replay) -> Iterator[str]:
    if not replay.packets:
        yield "no packets"
    else:
        length = (replay.last - replay.first) / SECOND
        yield f"{replay.packets} packets, {length:.1f} s from {rfc3339(replay.first)}"
    for vip in replay.snapshot.vips:
        yield ""
        yield from _vip(vip)
    if not replay.snapshot.vips:
        yield ""
        yield "nobody announces an address in this capture; name one with --vip to look for other traffic about it"
    if replay.events:
        yield ""
        yield "  seconds  vip              event"
        for event in replay.events:
            yield _event(event, replay.first)
    if replay.ignored:
        yield ""
        yield "frames ignored: " + ", ".join(f"{number} {reason}" for reason, number in replay.ignored.items())


def _vip(vip: VipSnapshot) -> Iterator[str]:
    holder = " ".join(filter(None, (vip.holder, vip.holder_mac and f"({vip.holder_mac})"))) or "nobody known"
    yield f"{vip.address}  {str(vip.state).upper()}  holder: {holder}"
    counts = {
        "moves": vip.moves,
        "contests": vip.contests,
        "withdrawn claims": vip.withdrawn_claims,
        "MAC changes": vip.mac_changes,
        "claims over the limit": vip.claimants_overflow,
    }
    yield "  " + ", ".join(f"{what}: {number}" for what, number in counts.items() if number or what in _ALWAYS_SHOWN)
    heard = ", ".join(f"{number} {kind}" for kind, number in vip.announcements.items() if number)
    yield f"  announcements: {heard or 'none'}"
    for claimant in vip.claimants:
        node = claimant.holder or "node not known"
        yield f"  claimant: {claimant.mac}  {node}  [{claimant.claimant_class}]"
    for mismatch in vip.mismatches:
        yield f"  MISMATCH: {mismatch.check}, since {rfc3339(mismatch.since)}"


def _event(event: Event, first: Nanoseconds) -> str:
    fields = {
        name: value
        for name, value in event_record(event, lambda at: at).items()
        if name not in _SHOWN_ELSEWHERE and value not in ("", None)
    }
    after = (event.at - first) / SECOND
    what = " ".join(f"{name}={value}" for name, value in fields.items())
    return f"{after:9.3f}  {event.vip!s:15}  {event.name:15}  {what}".rstrip()
