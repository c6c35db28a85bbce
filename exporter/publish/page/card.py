"""One VIP as a card with all that is known, as the page shows it. Decides the words, knows no HTML."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from exporter.publish.findings import CHECKED, Finding, Status, lease_renewed, one_holder, requirement
from exporter.publish.html.words import (
    GLYPHS,
    MARKS,
    MISMATCHES,
    REQUIRED,
    WHOSE,
    Time,
    Tone,
    element_id,
    says,
    severity,
    since,
)
from exporter.publish.length import length
from exporter.publish.page.line import EventView, Past, TimeLine
from exporter.publish.page.sources import Sources, SourceView
from exporter.publish.records import ToWall
from exporter.publish.said import VERDICT, agreed
from exporter.vip.agreement import Answer, answer
from exporter.vip.model import ClaimantClass, IPAddress, Requirement, Source, State
from exporter.vip.snapshot import VipSnapshot

MOST_CONTENDERS = 3
"""Shown in large type; the table of claimants has them all."""


@dataclass(frozen=True, slots=True)
class Name:
    """Of a node, or where that is not known a MAC."""

    text: str
    is_mac: bool


@dataclass(frozen=True, slots=True)
class MismatchView:
    check: str
    words: str
    since: Time


@dataclass(frozen=True, slots=True)
class ClaimantView:
    mac: str
    node: str
    whose: str
    odd: bool
    """Nobody knows a node that it is."""


@dataclass(frozen=True, slots=True)
class CheckView:
    name: str
    glyph: str
    word: str
    status: str
    reason: str
    remedy: str
    """Empty where it is met."""


@dataclass(frozen=True, slots=True)
class CountView:
    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One VIP with all that is known."""

    id: str
    address: str
    state: str
    glyph: str
    tone: Tone
    says: str
    holders: tuple[Name, ...]
    """Who has it, to be read from afar: nobody, one, or while it is contested those who announce it."""
    note: str
    """What qualifies that."""
    since_words: str
    since: Time | None
    verdict: str
    services: tuple[str, ...]
    mode: str
    sources: tuple[SourceView, ...]
    mismatches: tuple[MismatchView, ...]
    claimants: tuple[ClaimantView, ...]
    refused: int
    """Claimants for which there was no room."""
    checks: tuple[CheckView, ...]
    counts: tuple[CountView, ...]
    move: str
    moved: Time | None
    line: TimeLine
    events: tuple[EventView, ...]
    """The newest first."""


@dataclass(frozen=True, slots=True)
class Unwatched:
    """Who asks for an address that is not watched is told so."""

    id: str
    address: str


def unwatched(address: IPAddress) -> Unwatched:
    return Unwatched(element_id(address), str(address))


def card(vip: VipSnapshot, past: Past, to_wall: ToWall, *, observer: str, has_kubernetes: bool) -> Card:
    """Everything of one VIP.

    Args:
        has_kubernetes: a Kubernetes is watched, whether or not it answers.
    """
    sources = Sources(vip, to_wall, observer=observer, has_kubernetes=has_kubernetes)
    return Card(
        id=element_id(vip.address),
        address=str(vip.address),
        state=str(vip.state),
        glyph=GLYPHS[vip.state],
        tone=severity(vip).tone,
        says=says(vip),
        holders=tuple(_holders(vip)),
        note=_note(vip),
        since_words=f"{vip.state} since" if past.since else _since_words(vip),
        since=past.since or since(vip, to_wall),
        verdict=_verdict(vip),
        services=tuple(map(str, vip.services)),
        mode=str(vip.mode),
        sources=tuple(sources.view(source) for source in Source),
        mismatches=tuple(
            MismatchView(str(one.check), MISMATCHES[one.check], Time.of(to_wall(one.since))) for one in vip.mismatches
        ),
        claimants=tuple(
            ClaimantView(one.mac, one.holder, WHOSE[one.claimant_class], one.claimant_class is ClaimantClass.FOREIGN)
            for one in vip.claimants
        ),
        refused=vip.claimants_overflow,
        checks=tuple(map(_check, _findings(vip, has_kubernetes=has_kubernetes))),
        counts=tuple(_counts(vip)),
        move=f"{vip.last_move.origin or 'nobody known'} → {vip.last_move.target}" if vip.last_move else "",
        moved=Time.of(to_wall(vip.last_move.at)) if vip.last_move else None,
        line=past.line,
        events=past.events,
    )


def _since_words(vip: VipSnapshot) -> str:
    """Who was there when watching began came before that, unless the Lease tells when."""
    told = vip.lease is not None and vip.lease.acquired == vip.holder_since
    return "since" if vip.moves or told else "at least since"


def _holders(vip: VipSnapshot) -> Iterator[Name]:
    if vip.state is State.CONTESTED:
        names = {one.holder or one.mac: Name(one.holder or one.mac, not one.holder) for one in vip.claimants}
        yield from list(names.values())[:MOST_CONTENDERS]
    elif vip.holder or vip.holder_mac:
        yield Name(vip.holder or vip.holder_mac, not vip.holder)


def _note(vip: VipSnapshot) -> str:
    if vip.state is State.CONTESTED:
        more = len({one.holder or one.mac for one in vip.claimants}) - MOST_CONTENDERS
        others = f"and {more} more; " if more > 0 else ""
        by = f"the {vip.holder_source} names {vip.holder}" if vip.holder else "no other source names a holder"
        return f"{others}{by}"
    if not vip.holder:
        return "node not known" if vip.holder_mac else ""
    by = f"by {vip.holder_source}" if vip.holder_source not in (None, Source.WIRE) else ""
    match vip.state:
        case State.SILENT:
            return f"{by}; nobody announces it"
        case State.MOVING:
            return "until now; whether it moves is being decided"
        case State.UNKNOWN:
            return f"{by}; nothing is heard on the wire"
    return by


def _verdict(vip: VipSnapshot) -> str:
    found = answer(vip)
    if found is Answer.AGREED:
        words = agreed(vip)
        return words[:1].upper() + words[1:]
    if found is Answer.CONTEST:
        return f"{VERDICT[found]}: {len(vip.claimants)} claimants"
    return VERDICT[found]


def _findings(vip: VipSnapshot, *, has_kubernetes: bool) -> Iterator[Finding]:
    found = one_holder(vip)
    # On a terminal one would ask `who`; the page shows already what that prints.
    yield replace(found, remedy="see what each source says") if answer(vip) is Answer.UNKNOWN else found
    if vip.lease is not None and vip.lease.name:
        yield lease_renewed(vip, vip.lease)
    for required in CHECKED:
        if required is Requirement.LOAD_BALANCER_SERVICE and not has_kubernetes:
            continue  # nobody expects one
        yield requirement(vip, required)


def _check(finding: Finding) -> CheckView:
    glyph, word = MARKS[finding.status]
    remedy = "" if finding.status is Status.MET else finding.remedy
    return CheckView(REQUIRED[finding.requirement], glyph, word, str(finding.status), finding.reason, remedy)


def _counts(vip: VipSnapshot) -> Iterator[CountView]:
    yield CountView("moves", f"{vip.moves:,}")
    yield CountView("contests", f"{vip.contests:,}")
    yield CountView("withdrawn claims", f"{vip.withdrawn_claims:,}")
    yield CountView("MAC changes", f"{vip.mac_changes:,}")
    yield CountView("last handover", "–" if vip.last_handover is None else length(vip.last_handover))
    yield CountView("period", length(vip.period) if vip.period else "does not repeat")
