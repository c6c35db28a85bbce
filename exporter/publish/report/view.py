"""What the report of a replayed capture shows, in words and pictures. Knows no HTML.

It is bounded: of many VIPs those with the most trouble are shown in full, and of many events the first and the last.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from exporter import __version__
from exporter.publish.html.sentence import decided, sentence
from exporter.publish.html.timeline import Mark, MarkKind, Span, marks, spans
from exporter.publish.html.told import event_name, happened, text, time
from exporter.publish.html.words import GLYPHS, MISMATCHES, Severity, Tone, element_id, listed, severity
from exporter.publish.length import length
from exporter.publish.records import Record, event_record, rfc3339
from exporter.publish.replayed import Replay
from exporter.publish.report.picture import Lane, Picture, picture
from exporter.publish.report.verdict import often, verdict
from exporter.vip.announcers import Announced, Announcer
from exporter.vip.model import SECOND, Check, EventName, IPAddress, Nanoseconds, State
from exporter.vip.snapshot import VipSnapshot

MOST_SECTIONS = 50
"""VIPs shown in full."""
MOST_MISMATCHES = 100
"""Of one VIP: the last."""
MOST_EVENTS = 400
"""Of one VIP: half of them the first, half the last."""

FLAPPED, FLAPPED_WITHIN = 4, 900 * SECOND
"""Moves, and within which time, that are no calm life: as the alert VIPFlapping has it."""
_DAY: Nanoseconds = 86_400 * SECOND

_KINDS = {
    "request": "ARP announcements (requests)",
    "reply": "ARP announcements (replies)",
    "na": "unsolicited neighbour advertisements",
    "probe": "strangers that asked whether the address is free (probes)",
    "own_probe": "nodes that asked whether the address is free (probes)",
    "ordinary_request": "requests for other addresses in its name",
    "ordinary_reply": "answers for it to one that asked (ARP)",
    "solicited_na": "answers for it to one that asked (IPv6)",
}
IGNORED = {
    "truncated": "it ends before its own headers say",
    "other_protocol": "neither ARP nor neighbour discovery",
    "bad_hardware_type": "ARP for hardware other than Ethernet",
    "bad_lengths": "addresses of other lengths than six bytes and four",
    "bad_opcode": "ARP that is neither request nor reply",
    "bad_sha": "the sender's MAC is zero or a group's, which nobody can hold",
    "other_address": "it speaks for none of these VIPs; so does who merely asks for one",
    "other_vlan": "another VLAN than the one where the address is watched",
    "bad_hop_limit": "neighbour discovery that may have crossed a router",
    "bad_checksum": "ICMPv6 that every receiver discards",
    "malformed_nd": "neighbour discovery that every receiver discards",
    "no_link_layer_address": "an advertisement or solicitation that names no MAC",
    "too_many_addresses": "announces yet another address, after very many",
    "neighbour_repeated": "the same MAC spoke for the same node's address a moment before",
    "neighbour_flood": "more is said of nodes' own addresses than is worth hearing",
    "unknown_link_type": "captured on a kind of link that carries no ARP",
}
"""Why nothing comes of a frame, by the reason's name."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What the replay was made of."""

    capture: str
    """The file's name."""
    intent: str
    """The intent file's name; empty: none was given."""
    vips: tuple[IPAddress, ...]
    """Those that were asked for; none: every address that anyone announced."""
    period: str
    """As it was given."""


@dataclass(frozen=True, slots=True)
class When:
    iso: str
    words: str
    """The time of day, with the day if the capture has several."""
    after: str
    """Seconds since the first packet."""


@dataclass(frozen=True, slots=True)
class ClaimantRow:
    lane: Lane
    first: When
    last: When
    announcements: str


@dataclass(frozen=True, slots=True)
class EventRow:
    when: When
    words: str
    loud: bool
    """A move, or something wrong."""


@dataclass(frozen=True, slots=True)
class MismatchRow:
    check: str
    words: str
    begin: When
    end: When | None
    """None: it was still there at the end."""


@dataclass(frozen=True, slots=True)
class Brief:
    """A VIP in the table of all."""

    id: str
    address: str
    state: str
    glyph: str
    tone: Tone
    holder: str
    moves: str
    contests: str
    silent: str
    is_shown: bool
    """There is a section on it."""


@dataclass(frozen=True, slots=True)
class Section:
    """A VIP in full."""

    brief: Brief
    services: tuple[str, ...]
    verdict: tuple[str, ...]
    picture: Picture
    label: str
    """What the picture shows, for those who cannot see it."""
    claimants: tuple[ClaimantRow, ...]
    others: str
    """Announcements of further MACs; empty: none."""
    mismatches: tuple[MismatchRow, ...]
    """The last ones."""
    earlier_mismatches: str
    """How many more there were before; empty: none."""
    first_events: tuple[EventRow, ...]
    left_out: str
    """How many events come between these and the last; empty: none."""
    last_events: tuple[EventRow, ...]
    counts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Report:
    name: str
    """The capture's."""
    headline: str
    tone: Tone
    facts: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    """What is wrong with the file."""
    briefs: tuple[Brief, ...]
    """All VIPs, those with the most trouble first."""
    sections: tuple[Section, ...]
    gone: tuple[tuple[str, EventRow], ...]
    gone_left_out: str
    """How many more there were; empty: none."""
    """Events of addresses that were given up before the end, each with its address."""
    ignored: tuple[tuple[str, str, str], ...]
    """Reason, number of frames, meaning."""
    advice: str
    """What to do where there is nothing to show."""


def reported(replay: Replay, origin: Origin) -> Report:
    """All of the report. The replay must have noted the announcers."""
    made = _Reading(replay)
    briefs = tuple(map(made.brief, made.worst_first))
    gone = made.gone()
    return Report(
        name=_printable(origin.capture),
        headline=made.headline(),
        tone=made.tone(),
        facts=tuple(made.facts(origin)),
        warnings=replay.warnings,
        briefs=briefs,
        sections=tuple(made.section(*both) for both in zip(made.worst_first[:MOST_SECTIONS], briefs, strict=False)),
        gone=tuple((address, made.row(record)) for address, record in gone[:MOST_EVENTS]),
        gone_left_out=_more(len(gone) - MOST_EVENTS),
        ignored=tuple((name, f"{count:,}", IGNORED.get(name, "")) for name, count in replay.ignored.items()),
        advice="Name an address with --vip to look for other traffic about it." if replay.packets else "",
    )


class _Reading:
    """Makes words and pictures of one replay."""

    def __init__(self, replay: Replay) -> None:
        self._replay = replay
        self._begin = replay.first
        self._end = max(replay.last, replay.first + SECOND // 1000)
        self._announced: Mapping[IPAddress, Announced] = replay.announced or {}
        self._records: dict[str, list[Record]] = defaultdict(list)
        for event in replay.events:
            record = event_record(event, lambda at: at)
            self._records[str(record["vip"])].append(record)
        self._spans = {vip.address: self._spans_of(vip) for vip in replay.snapshot.vips}
        self.worst_first = sorted(replay.snapshot.vips, key=self._trouble)
        """By how much happened; else in the order of their addresses."""
        self._shown = {vip.address for vip in self.worst_first[:MOST_SECTIONS]}

    # --- the whole ----------------------------------------------------------------------------------------------------

    def headline(self) -> str:
        vips = self.worst_first
        if not self._replay.packets:
            return "The capture has no packets"
        if not vips:
            return "Nobody announces an address in this capture"
        moved, contested = sum(bool(vip.moves) for vip in vips), sum(bool(vip.contests) for vip in vips)
        silent = sum(self._total(vip, State.SILENT) > 0 for vip in vips)
        if len(vips) == 1:
            moves = f"moved {often(vips[0].moves)}" if moved else "did not move"
            what = [*(["was contested"] if contested else []), *(["was silent"] if silent else []), moves]
            return f"{vips[0].address} {listed(tuple(what))}"
        counts = {"contested": contested, "silent": silent, "moved": moved}
        found = ", ".join(f"{number:,} {what}" for what, number in counts.items() if number)
        return f"{len(vips):,} VIPs: {found or 'none contested, none silent, none moved'}"

    def tone(self) -> Tone:
        """As loud as the worst of the VIPs."""
        tones = {self._tone(vip) for vip in self.worst_first}
        return next((tone for tone in (Tone.BAD, Tone.WARN, Tone.CALM) if tone in tones), Tone.DIM)

    def facts(self, origin: Origin) -> Iterator[tuple[str, str]]:
        replay = self._replay
        if replay.packets:
            yield "First packet", _utc(replay.first)
            yield "Last packet", _utc(replay.last)
            yield "Length", f"{length(replay.last - replay.first)} ({(replay.last - replay.first) / SECOND:,.3f} s)"
        yield "Packets", f"{replay.packets:,}"
        asked = ", ".join(map(str, origin.vips[:8])) + (
            f" and {len(origin.vips) - 8:,} more" if origin.vips[8:] else ""
        )
        everything = "every address that anyone announces"
        yield "VIPs", asked or (f"those of the intent file, and {everything}" if origin.intent else everything)
        yield "Intent file", _printable(origin.intent) if origin.intent else "none: nodes are not known by name"
        if origin.period != "auto":
            yield "Period", origin.period
        yield "Made by", f"vip-exporter {__version__}"

    def gone(self) -> list[tuple[str, Record]]:
        """The events of addresses that nobody wanted any more at the end."""
        there = {str(vip.address) for vip in self.worst_first}
        return [
            (address, record)
            for address, records in self._records.items()
            if address not in there
            for record in _by_time(records)
        ]

    # --- one VIP ------------------------------------------------------------------------------------------------------

    def brief(self, vip: VipSnapshot) -> Brief:
        silent = self._total(vip, State.SILENT)
        return Brief(
            id=element_id(vip.address),
            address=str(vip.address),
            state=str(vip.state),
            glyph=GLYPHS[vip.state],
            tone=self._tone(vip),
            holder=vip.holder or vip.holder_mac,
            moves=f"{vip.moves:,}",
            contests=f"{vip.contests:,}",
            silent=length(silent) if silent else "–",
            is_shown=vip.address in self._shown,
        )

    def section(self, vip: VipSnapshot, brief: Brief) -> Section:
        records, found = self._records[str(vip.address)], self._spans[vip.address]
        announced = self._announced.get(vip.address)
        drawn = picture(
            found,
            self._marks(vip),
            announced,
            begin=self._begin,
            end=self._end,
        )
        half = MOST_EVENTS // 2
        told = _by_time(records)
        first, last = (told[:half], told[-half:]) if len(told) > MOST_EVENTS else (told, [])
        left_out = len(told) - len(first) - len(last)
        mismatches = tuple(self._mismatches(records))
        return Section(
            brief=brief,
            services=tuple(map(str, vip.services)),
            verdict=verdict(vip, records, found, self._clock),
            picture=drawn,
            label=_label(found),
            claimants=tuple(
                self._claimant(lane, one)
                for lane, one in zip(drawn.lanes, announced.announcers if announced else (), strict=True)
            ),
            others=f"{announced.others:,}" if announced and announced.others else "",
            mismatches=mismatches[-MOST_MISMATCHES:],
            earlier_mismatches=_more(len(mismatches) - MOST_MISMATCHES),
            first_events=tuple(map(self.row, first)),
            left_out=_more(left_out),
            last_events=tuple(map(self.row, last)),
            counts=tuple(
                (_KINDS.get(kind, kind), f"{count:,}")
                for kind, count in [*vip.announcements.items(), *vip.sightings.items()]
                if count
            ),
        )

    def _trouble(self, vip: VipSnapshot) -> tuple[int, ...]:
        """The least comes first."""
        now = severity(vip)
        contested = now is not Severity.CONTESTED
        return contested, -vip.contests, now, -self._total(vip, State.SILENT), -vip.moves, -vip.withdrawn_claims

    def _tone(self, vip: VipSnapshot) -> Tone:
        """By what is so at the end, and a little by what was so before."""
        tone = severity(vip).tone
        was = any(span.state in (State.CONTESTED, State.SILENT) for span in self._spans[vip.address])
        return Tone.WARN if tone is Tone.CALM and (was or self._flapped(vip)) else tone

    def _flapped(self, vip: VipSnapshot) -> bool:
        moves = [mark.at for mark in self._marks(vip) if mark.kind is MarkKind.MOVE]
        return any(last - first <= FLAPPED_WITHIN for first, last in zip(moves, moves[FLAPPED - 1 :], strict=False))

    def _marks(self, vip: VipSnapshot) -> tuple[Mark, ...]:
        return marks(self._records.get(str(vip.address), ()), begin=self._begin, end=self._end)

    def _total(self, vip: VipSnapshot, state: State) -> Nanoseconds:
        return sum(span.end - span.begin for span in self._spans[vip.address] if span.state is state)

    def _spans_of(self, vip: VipSnapshot) -> tuple[Span, ...]:
        records = self._records.get(str(vip.address), ())
        return spans(records, begin=self._begin, end=self._end, vip=vip, to_wall=lambda at: at)

    def _claimant(self, lane: Lane, one: Announcer) -> ClaimantRow:
        return ClaimantRow(lane, self._when(one.first), self._when(one.last), f"{one.frames:,}")

    def row(self, record: Record) -> EventRow:
        """One event."""
        loud = event_name(record) in _LOUD
        return EventRow(self._when(happened(record) or 0), sentence(record) + decided(record), loud)

    def _mismatches(self, records: Sequence[Record]) -> Iterator[MismatchRow]:
        open_: dict[str, Nanoseconds] = {}
        for record in records:
            check, at = text(record, "check"), time(record)
            if at is None:
                continue
            if event_name(record) is EventName.MISMATCH_STARTED:
                open_[check] = time(record, "since") or at
            elif event_name(record) is EventName.MISMATCH_ENDED and check in open_:
                yield MismatchRow(check, MISMATCHES[Check(check)], self._when(open_.pop(check)), self._when(at))
        for check, since in open_.items():
            yield MismatchRow(check, MISMATCHES[Check(check)], self._when(since), None)

    # --- time ---------------------------------------------------------------------------------------------------------

    def _when(self, at: Nanoseconds) -> When:
        return When(rfc3339(at), self._clock(at).removesuffix(" UTC"), f"{(at - self._begin) / SECOND:+,.3f} s")

    def _clock(self, at: Nanoseconds) -> str:
        words = _utc(at)
        return words if self._begin // _DAY != self._end // _DAY else words[11:]


_LOUD = frozenset({EventName.VIP_MOVED, EventName.CONTEST_STARTED, EventName.VIP_SILENT, EventName.MISMATCH_STARTED})


def _by_time(records: Sequence[Record]) -> list[Record]:
    return sorted(records, key=lambda record: happened(record) or 0)


def _more(count: int) -> str:
    """How many there are beyond a bound; empty: none."""
    return f"{count:,}" if count > 0 else ""


def _utc(at: Nanoseconds) -> str:
    """To the millisecond."""
    return rfc3339(at)[:23].replace("T", " ") + " UTC"


def _label(found: Sequence[Span]) -> str:
    """The stretches in words, if they are few."""
    words = [
        f"{span.state}{f' by {span.holder}' if span.holder else ''} for {length(span.end - span.begin)}"
        for span in found
    ]
    more = len(words) - 8
    return f"Who held it: {', then '.join(words[:8])}{f', then {more:,} more stretches' if more > 0 else ''}"


def _printable(name: str) -> str:
    """A file's name, with what would not show, or would turn the text around, written out."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in name
    )
