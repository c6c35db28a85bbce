"""What the whole page shows at one moment: summary, VIPs as cards or rows, the exporter itself. Knows no HTML."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from exporter.publish.html.words import GLYPHS, Severity, Tone, element_id, lacking, says, severity
from exporter.publish.moment import Moment
from exporter.publish.page import health as own
from exporter.publish.page.card import Card, Unwatched, card, unwatched
from exporter.publish.page.health import Health
from exporter.publish.page.line import past
from exporter.publish.page.row import Row, row
from exporter.publish.records import Record
from exporter.vip.model import IPAddress, Nanoseconds, State
from exporter.vip.snapshot import VipSnapshot

MOST_CARDS = 8
"""More VIPs than these are shown as a table."""
MOST_LINKS = 8
"""To VIPs that need a look, at the top."""

WORST_FIRST = (State.CONTESTED, State.SILENT, State.MOVING, State.UNKNOWN, State.HELD)


@dataclass(frozen=True, slots=True)
class Link:
    href: str
    words: str


@dataclass(frozen=True, slots=True)
class Summary:
    """What a glance must tell."""

    glyph: str
    tone: Tone
    words: str
    trouble: tuple[Link, ...]
    """The VIPs that need a look, the worst first."""
    more: int
    """Of them, that are not among these."""
    title: str


@dataclass(frozen=True, slots=True)
class View:
    """The page. Of cards and rows, one is empty."""

    at: Nanoseconds
    """Wall clock."""
    summary: Summary
    warnings: tuple[str, ...]
    narrowed: str
    """Said where only some VIPs are shown, with a link to all; empty: all are."""
    cards: tuple[Card | Unwatched, ...]
    rows: tuple[Row, ...]
    counts: Mapping[State, int]
    health: Health


def view(moment: Moment, asked: Sequence[IPAddress] = ()) -> View:
    """The page of these VIPs, of all where none is asked for."""
    everything = moment.snapshot.vips
    vips = [vip for vip in everything if vip.address in asked] if asked else list(everything)
    severities = {vip.address: severity(vip) for vip in vips}
    as_cards = bool(asked) or len(vips) <= MOST_CARDS
    worst_first = sorted(vips, key=lambda vip: severities[vip.address])
    return View(
        at=moment.to_wall(moment.snapshot.at),
        summary=_summary(worst_first, severities, asked=bool(asked), on_page=as_cards),
        warnings=tuple(own.warnings(moment.snapshot, moment.status, healthy=moment.healthy, ready=moment.ready)),
        narrowed=_narrowed(len(vips), len(everything)) if asked else "",
        cards=tuple(_cards(moment, _alarming_first(vips, severities), asked)) if as_cards else (),
        rows=() if as_cards else tuple(row(vip, severities[vip.address], moment.to_wall) for vip in worst_first),
        counts=Counter(vip.state for vip in vips),
        health=own.health(moment.status, moment.to_wall, healthy=moment.healthy, ready=moment.ready),
    )


def _alarming_first(vips: Sequence[VipSnapshot], severities: Mapping[IPAddress, Severity]) -> list[VipSnapshot]:
    """Lesser trouble leaves the cards where they are: a move would make them jump twice."""
    return sorted(vips, key=lambda vip: severities[vip.address].tone is not Tone.BAD)


def _cards(moment: Moment, vips: Sequence[VipSnapshot], asked: Sequence[IPAddress]) -> Iterator[Card | Unwatched]:
    shown = {element_id(vip.address) for vip in vips}
    for address in {element_id(address): address for address in asked}.values():
        if element_id(address) not in shown:
            yield unwatched(address)
    records = _by_vip(moment.events()) if vips else {}
    status, now = moment.status, moment.to_wall(moment.snapshot.at)
    devices = tuple(capture.device for capture in status.captures)
    for vip in vips:
        of_it = [*records.get("", ()), *records.get(str(vip.address), ())]
        yield card(
            vip,
            past(vip, of_it, moment.to_wall, now=now, devices=devices),
            moment.to_wall,
            observer=status.observer,
            has_kubernetes=status.kubernetes is not None,
        )


def _by_vip(records: Sequence[Record]) -> Mapping[str, Sequence[Record]]:
    """Empty text: the exporter's own."""
    found: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        found[str(record.get("vip", ""))].append(record)
    return found


def _narrowed(shown: int, all_: int) -> str:
    return f"{shown:,} of {all_:,} watched {'VIP is' if all_ == 1 else 'VIPs are'} shown."


# --- the summary ------------------------------------------------------------------------------------------------------


def _summary(
    vips: Sequence[VipSnapshot], severities: Mapping[IPAddress, Severity], *, asked: bool, on_page: bool
) -> Summary:
    """Of VIPs in the order of severity; `on_page`: each has its card there, to which a link leads."""
    if not vips:
        words = "Nothing of what was asked for is watched" if asked else "No virtual IP is watched yet"
        return Summary("?", Tone.DIM, words, (), 0, f"? {words} – vip-exporter")
    worst, alone = vips[0], len(vips) == 1
    trouble = [vip for vip in vips if severities[vip.address] is not Severity.NONE]
    words = f"{says(worst)}{_but(worst, severities)}" if alone else _of_many(vips, trouble)
    words = words[:1].upper() + words[1:]
    glyph = "!" if trouble and worst.state is State.HELD else GLYPHS[worst.state]
    links = tuple(
        Link(f"#{element_id(vip.address)}" if on_page else f"/?vip={vip.address}", str(vip.address))
        for vip in trouble[:MOST_LINKS]
    )
    return Summary(
        glyph,
        severities[worst.address].tone,
        words,
        () if alone else links,
        0 if alone else max(0, len(trouble) - MOST_LINKS),
        f"{_title(vips, trouble)} – vip-exporter",
    )


def _but(vip: VipSnapshot, severities: Mapping[IPAddress, Severity]) -> str:
    if vip.state is not State.HELD:
        return ""
    match severities[vip.address]:
        case Severity.DISAGREEMENT:
            return ", but the sources disagree"
        case Severity.MISMATCH:
            return ", with a mismatch"
        case Severity.LACKING:
            reasons = lacking(vip)
            return f", but {reasons[0]}" if len(reasons) == 1 else ", but lacks several things that it requires"
    return ""


def _of_many(vips: Sequence[VipSnapshot], trouble: Sequence[VipSnapshot]) -> str:
    number, counts = len(vips), Counter(vip.state for vip in vips)
    if counts[State.HELD] == number:
        but = f", but {len(trouble):,} {_need(len(trouble))} a look" if trouble else ""
        return f"{_all(number)} are held{but}"
    there = [state for state in WORST_FIRST if counts[state] and state is not State.HELD]
    first, *rest = there
    if counts[first] == number:
        return f"{_all(number)} are {first}"
    held_trouble = sum(vip.state is State.HELD for vip in trouble)
    return ", ".join(
        [
            f"{counts[first]:,} of {number:,} {'is' if counts[first] == 1 else 'are'} {first}",
            *(f"{counts[state]:,} {state}" for state in rest),
            *([f"{held_trouble:,} held that {_need(held_trouble)} a look"] if held_trouble else []),
        ]
    )


def _all(number: int) -> str:
    return "Both VIPs" if number == 2 else f"All {number:,} VIPs"


def _need(number: int) -> str:
    return "needs" if number == 1 else "need"


def _title(vips: Sequence[VipSnapshot], trouble: Sequence[VipSnapshot]) -> str:
    worst = vips[0]
    if not trouble:
        if len(vips) == 1:
            return f"✓ {worst.holder or worst.holder_mac} holds {worst.address}"
        return f"✓ {len(vips):,} VIPs held"
    if worst.state is State.HELD:
        return f"! {worst.address} needs a look" if len(trouble) == 1 else f"! {len(trouble):,} VIPs need a look"
    if len(trouble) == 1:
        return f"{GLYPHS[worst.state]} {worst.state} {worst.address}"
    counts = Counter(vip.state for vip in vips)
    states = [state for state in WORST_FIRST if counts[state] and state is not State.HELD]
    return f"{GLYPHS[states[0]]} {', '.join(f'{counts[state]:,} {state}' for state in states)}"
