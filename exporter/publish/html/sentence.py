"""Each event as a sentence, told from its record. Plain text with whatever characters the record has: to be escaped."""

from __future__ import annotations

from collections.abc import Iterator

from exporter.publish.html.told import event_name, happened, number, text, time
from exporter.publish.length import length
from exporter.publish.records import Record
from exporter.vip.model import SECOND, Check, EventName, Source
from exporter.vip.nodes import same_node


def sentence(record: Record) -> str:
    """What happened, in plain words; it may have any characters, so it is to be escaped."""
    return "".join(_words(record))


def decided(record: Record) -> str:
    """What to add to the sentence in a list by the time when things happened; empty where they were known at once."""
    at, began = time(record), happened(record)
    return "" if at is None or began is None or at - began <= SECOND else f", decided {length(at - began)} later"


def _words(record: Record) -> Iterator[str]:
    match event_name(record):
        case EventName.VIP_SEEN:
            yield f"heard for the first time: {named(record, 'holder', 'mac')} announces it"
        case EventName.VIP_MOVED:
            yield f"moved from {briefly(record, 'from', 'from_mac')} to {briefly(record, 'to', 'to_mac')}"
            yield _how_moved(record)
        case EventName.MAC_CHANGED:
            holder = text(record, "to") or text(record, "from") or "the holder"
            yield f"{holder} goes on with another MAC: {text(record, 'to_mac') or 'unknown'}"
            yield f" instead of {text(record, 'from_mac')}" if text(record, "from_mac") else ""
        case EventName.CLAIM_WITHDRAWN:
            frames, claimant = number(record, "frames"), named(record, "claimant", "mac")
            if frames == 1:
                yield f"a stray announcement of {claimant} was withdrawn after 1 frame"
            else:
                yield f"the claim of {claimant} was withdrawn"
                yield f" after {frames:.0f} frames" if frames is not None else ""
        case EventName.CONTEST_STARTED:
            yield f"contested: {named(record, 'to', 'to_mac')} announces it"
            yield f" beside {briefly(record, 'from', 'from_mac')}"
        case EventName.CONTEST_ENDED:
            old, left = briefly(record, "from", "from_mac"), briefly(record, "to", "to_mac")
            yield "contested no more: "
            yield f"{left} is left, as before" if same_node(old, left) else f"{left} is left, {old} had it before"
        case EventName.VIP_SILENT:
            yield "silent: nobody announces it"
            if text(record, "mac"):
                yield f", {briefly(record, 'holder', 'mac')} held it last"
            elif text(record, "holder"):  # it was never heard
                yield f"; {text(record, 'holder')} is named as its holder"
        case EventName.VIP_RETURNED:
            yield f"{briefly(record, 'holder', 'mac')} announces it again"
            silence = number(record, "silence_seconds")
            yield f" after {_length(silence)} of silence" if silence is not None else ""
        case EventName.MISMATCH_STARTED:
            yield f"mismatch {text(record, 'check') or 'unknown'} began{_contradiction(record)}"
        case EventName.MISMATCH_ENDED:
            yield f"mismatch {text(record, 'check') or 'unknown'} ended"
        case EventName.PROBE_SEEN:
            yield f"{text(record, 'mac') or 'somebody'} asked whether the address is free"
        case EventName.CAPTURE_LOST:
            reason = text(record, "reason")
            yield f"nothing can be heard on {text(record, 'device') or 'an interface'}{reason and f': {reason}'}"
        case EventName.CAPTURE_RESTORED:
            yield f"{text(record, 'device') or 'an interface'} can be heard again"
        case None:
            yield text(record, "event") or "an event without a name"


def _how_moved(record: Record) -> str:
    source, handover = text(record, "source"), number(record, "handover_seconds")
    if source not in ("", Source.WIRE):
        return f", as the {source} says"
    if handover is None:
        return ""  # this run of the exporter did not hear the old holder
    if handover == 0:
        return ", which spoke before the other had stopped"
    return f" after {_length(handover)} without an announcement"


def _contradiction(record: Record) -> str:
    """The values that contradict each other, as `exporter.vip.checks.failures` gives them."""
    match text(record, "check"):
        case Check.HOST:
            on_wire = briefly(record, "wire", "mac")
            return f": the annotation names {text(record, 'annotation') or 'nobody'}, {on_wire} announces it"
        case Check.MAC:
            hwaddr = text(record, "hwaddr")
            other = f"not {hwaddr}" if hwaddr else "which is no MAC of the node that the annotation names"
            return f": {text(record, 'mac') or 'an unknown MAC'} announces it, {other}"
        case Check.LEASE:
            lease, annotation = text(record, "lease") or "nobody", text(record, "annotation") or "nobody"
            return f": the lease names {lease}, the annotation {annotation}"
        case Check.ADDRESS:
            return f": {text(record, 'announced') or 'its old address'} is still announced"
        case Check.BOUND:
            return f": bound on {text(record, 'bound_on') or 'a node'}, held by {text(record, 'holder') or 'another'}"
        case _:
            return ""


def briefly(record: Record, name: str, mac: str) -> str:
    """The node that these fields name, else the MAC."""
    return text(record, name) or text(record, mac) or "nobody known"


def named(record: Record, name: str, mac: str) -> str:
    """The node and the MAC that these fields name."""
    node, address = text(record, name), text(record, mac)
    return f"{node} ({address})" if node and address else node or address or "somebody"


def _length(seconds: float) -> str:
    return length(round(seconds * SECOND))
