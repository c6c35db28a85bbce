"""Reads the intent file: what Kubernetes would say, for machines without it and for captures.

It states the VIPs and nodes as they are at the start, and a timeline of later changes to the VIPs; `IntentFile.plan`
turns that into inputs. Everything wrong in a file is reported at once, each with its line.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TypeVar

from exporter.cluster import intent_words as words
from exporter.cluster.intent_yaml import IntentFileError, Reader, T, Value, parse_yaml
from exporter.vip.model import (
    Input,
    IntentFreshness,
    IPAddress,
    LeaseSeen,
    Mac,
    Mode,
    Nanoseconds,
    Node,
    NodesSeen,
    ServiceIntent,
    ServiceRef,
    ServiceSeen,
)

__all__ = ["Entry", "IntentFile", "IntentFileError", "Moment", "Plan", "Said", "Unchanged", "read_intent_file"]

H = TypeVar("H", bound=Hashable)

LARGEST = 1024 * 1024
"""Bytes; room for some 25,000 timeline entries. Seconds of reading already, in a parser that no nesting can crash."""


class Unchanged(Enum):
    """A key that a timeline entry leaves out."""

    UNCHANGED = "unchanged"


UNCHANGED = Unchanged.UNCHANGED


@dataclass(frozen=True, slots=True)
class Said:
    """What is said of one entry's VIPs at one time."""

    addresses: tuple[IPAddress, ...]
    vip_host: str = ""
    hwaddr: Mac | None = None
    lease_holder: str | None = None
    """None: no lease is known; empty: one that nobody holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """An entry of the timeline: from then on, this is said."""

    at: words.At
    addresses: tuple[IPAddress, ...] | Unchanged = UNCHANGED
    vip_host: str | Unchanged = UNCHANGED
    hwaddr: Mac | Unchanged | None = UNCHANGED
    lease_holder: str | Unchanged = UNCHANGED

    def change(self, said: Said) -> Said:
        return Said(
            addresses=said.addresses if isinstance(self.addresses, Unchanged) else self.addresses,
            vip_host=said.vip_host if isinstance(self.vip_host, Unchanged) else self.vip_host,
            hwaddr=said.hwaddr if isinstance(self.hwaddr, Unchanged) else self.hwaddr,
            lease_holder=said.lease_holder if isinstance(self.lease_holder, Unchanged) else self.lease_holder,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One of the `vips`: it stands for a Service."""

    service: ServiceRef
    said: Said
    mode: Mode = Mode.UNKNOWN
    period: Nanoseconds | None = None
    vlan: int | None = None
    timeline: tuple[Moment, ...] = ()

    def intent(self, said: Said) -> ServiceIntent:
        return ServiceIntent(
            service=self.service,
            addresses=said.addresses,
            mode=self.mode,
            vip_host=said.vip_host,
            # As on a Service: in static mode it can only be left over.
            hwaddr=None if self.mode is Mode.STATIC else said.hwaddr,
            period=self.period,
            vlan=self.vlan,
        )


@dataclass(frozen=True, slots=True)
class Plan:
    initial: tuple[Input, ...]
    """All at once."""
    later: tuple[Input, ...]
    """All after it, in time order; each carries its own time."""


@dataclass(frozen=True, slots=True)
class IntentFile:
    entries: tuple[Entry, ...]
    nodes: tuple[Node, ...] | None
    """None: the file says nothing about nodes."""

    def plan(
        self,
        *,
        start: Nanoseconds,
        now: Nanoseconds | None = None,
        from_wall: Callable[[Nanoseconds], Nanoseconds] = lambda wall: wall,
    ) -> Plan:
        """The file as inputs. What the timeline says up to now has happened already: it is no change.

        Args:
            start: the time of the capture's first packet, or of the program's start, on the core's time line.
            now: when the file is taken up; None: at the start.
            from_wall: turns a time since 1970 into one on that line; offline they are the same.
        """
        now = start if now is None else now
        initial: list[Input] = [IntentFreshness(now, True)]
        later: list[Input] = []
        if self.nodes is not None:
            initial.append(NodesSeen(now, self.nodes))
        for entry in self.entries:
            said = entry.said
            timeline = [(moment.at.on_line(start, from_wall), moment) for moment in entry.timeline]
            timeline.sort(key=lambda item: item[0])
            for at, moment in timeline:
                if at <= now:
                    said = moment.change(said)
            initial += [ServiceSeen(now, entry.intent(said)), *_leases(now, said)]
            for at, moment in timeline:
                if at > now:
                    before, said = said, moment.change(said)
                    if entry.intent(said) != entry.intent(before):
                        later.append(ServiceSeen(at, entry.intent(said)))
                    known = set(_leases(at, before))
                    later += [lease for lease in _leases(at, said) if lease not in known]
        return Plan(tuple(initial), tuple(sorted(later, key=lambda one: one.at)))


def _leases(at: Nanoseconds, said: Said) -> list[LeaseSeen]:
    if said.lease_holder is None:
        return []
    return [LeaseSeen(at, address, said.lease_holder) for address in said.addresses]


def read_intent_file(path: Path) -> IntentFile:
    """Read and check a file.

    Raises:
        IntentFileError: something in it cannot be used; the message has file, line, key and remedy of all that.
    """
    top = parse_yaml(path, largest=LARGEST)
    fields = top.fields("vips", "nodes")
    if not fields and not top.report.complaints:
        top.complain("says nothing; give at least one of vips and nodes")
    read_entry = partial(_entry, address=_once(words.address), service=_once(words.service))
    entries = [read_entry(value) for value in fields["vips"].items()] if "vips" in fields else []
    read_node = partial(_node, name=_once(words.name), address=_once(words.address), mac=_once(words.mac))
    nodes = [read_node(value) for value in fields["nodes"].items()] if "nodes" in fields else None
    top.report.raise_if_any()
    return IntentFile(tuple(entries), None if nodes is None else tuple(filter(None, nodes)))


def _entry(value: Value, *, address: Reader[IPAddress], service: Reader[ServiceRef]) -> Entry:
    keys = (
        "address",
        "addresses",
        "mode",
        "period",
        "service",
        "vlan",
        "vipHost",
        "hwaddr",
        "lease_holder",
        "timeline",
    )
    fields = value.fields(*keys)
    if "address" in fields and "addresses" in fields:
        fields["address"].complain("stands beside addresses; remove one")
    complaints = len(value.report.complaints)
    addresses = _scalars(fields.get("address"), address) + _scalars(fields.get("addresses"), address)
    if not addresses and len(value.report.complaints) == complaints:
        value.complain("has no address; add one")
    return Entry(
        service=_scalar(fields, "service", service) or ServiceRef("", str(next(iter(addresses), ""))),
        said=Said(
            addresses=addresses,
            vip_host=_scalar(fields, "vipHost", words.name_or_none) or "",
            hwaddr=_scalar(fields, "hwaddr", words.mac),
            lease_holder=_scalar(fields, "lease_holder", words.name_or_none),
        ),
        mode=_scalar(fields, "mode", words.mode) or Mode.UNKNOWN,
        period=_scalar(fields, "period", words.period),
        vlan=_scalar(fields, "vlan", words.vlan),
        timeline=tuple(filter(None, map(_moment, fields["timeline"].items()))) if "timeline" in fields else (),
    )


def _moment(value: Value) -> Moment | None:
    fields = value.fields("at", "vipHost", "hwaddr", "addresses", "lease_holder")
    at = _scalar(fields, "at", words.at)
    if at is None:
        if "at" not in fields or fields["at"].is_null:
            value.complain("has no time; add at: with seconds since the start, or a time")
        return None
    return Moment(
        at=at,
        addresses=_scalars(fields["addresses"], words.address) if "addresses" in fields else UNCHANGED,
        vip_host=(_scalar(fields, "vipHost", words.name_or_none) or "") if "vipHost" in fields else UNCHANGED,
        hwaddr=_scalar(fields, "hwaddr", words.mac) if "hwaddr" in fields else UNCHANGED,
        lease_holder=(_scalar(fields, "lease_holder", words.name_or_none) or "")
        if "lease_holder" in fields
        else UNCHANGED,
    )


def _node(value: Value, *, name: Reader[str], address: Reader[IPAddress], mac: Reader[Mac]) -> Node | None:
    fields = value.fields("name", "addresses", "macs", "candidate")
    node_name = _scalar(fields, "name", name)
    if node_name is None:
        if "name" not in fields or fields["name"].is_null:
            value.complain("has no name; add one")
        return None
    candidate = _scalar(fields, "candidate", words.boolean)
    return Node(
        name=node_name,
        addresses=_scalars(fields.get("addresses"), address),
        macs=_scalars(fields.get("macs"), mac),
        candidate=candidate is not False,
    )


def _once(read: Reader[H]) -> Reader[H]:
    """Refuse what the file has said before."""
    seen: set[H] = set()

    def read_once(text: str) -> H:
        item = read(text)
        if item in seen:
            raise ValueError("stands in the file already; remove one of the two")
        seen.add(item)
        return item

    return read_once


def _scalar(fields: dict[str, Value], key: str, read: Reader[T]) -> T | None:
    return fields[key].scalar(read) if key in fields else None


def _scalars(value: Value | None, read: Reader[T]) -> tuple[T, ...]:
    """One value, or a list of them."""
    if value is None:
        return ()
    values = [value] if value.is_scalar else value.items()
    found = (item.scalar(read) for item in values)
    return tuple(dict.fromkeys(item for item in found if item is not None))
