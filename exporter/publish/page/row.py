"""One VIP in a table of many, as the page shows it: what it comes to, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from exporter.publish.html.words import GLYPHS, MISMATCHES, Severity, Time, Tone, element_id, lacking, says, since
from exporter.publish.records import ToWall
from exporter.vip.agreement import Answer, answer
from exporter.vip.snapshot import VipSnapshot


@dataclass(frozen=True, slots=True)
class Row:
    """One VIP in a table of many. Nothing in it changes by announcements or time alone."""

    id: str
    address: str
    query: str
    state: str
    glyph: str
    tone: Tone
    says: str
    holder: str
    is_mac: bool
    since: Time | None
    wrong: str
    services: str


def row(vip: VipSnapshot, severe: Severity, to_wall: ToWall) -> Row:
    address = str(vip.address)
    return Row(
        element_id(vip.address),
        address,
        f"/?vip={address}",
        str(vip.state),
        GLYPHS[vip.state],
        severe.tone,
        says(vip),
        vip.holder or vip.holder_mac,
        not vip.holder,
        since(vip, to_wall),
        "" if severe is Severity.NONE else "; ".join(_wrong(vip)),
        ", ".join(map(str, vip.services)),
    )


def _wrong(vip: VipSnapshot) -> Iterator[str]:
    found = answer(vip)
    if found is Answer.DISAGREEMENT and not vip.mismatches:  # which says how
        yield "the sources disagree"
    elif found in (Answer.CONTEST, Answer.MOVING):
        yield f"{len(vip.claimants)} claimants"
    elif found is Answer.SILENCE:
        yield "nobody announces it"
    yield from (MISMATCHES[one.check] for one in vip.mismatches)
    if found is not Answer.SILENCE:  # which says as much
        yield from lacking(vip)
    if vip.intent_stale:
        yield "what Kubernetes said is old"
