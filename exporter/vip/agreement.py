"""Whether all that is known of a VIP comes to one answer: for `who`, `check` and the page, which all say the same."""

from __future__ import annotations

from enum import StrEnum

from exporter.vip.model import ClaimantClass, Source, State
from exporter.vip.nodes import same_node
from exporter.vip.snapshot import VipSnapshot


class Answer(StrEnum):
    AGREED = "agreed"
    DISAGREEMENT = "disagreement"
    CONTEST = "contest"
    MOVING = "moving"
    SILENCE = "silence"
    UNKNOWN = "unknown"


def answer(vip: VipSnapshot) -> Answer:
    """What all sources together come to, as they are now: the settle time is for whoever watches longer."""
    match vip.state:
        case State.CONTESTED:
            return Answer.CONTEST
        case State.MOVING:
            return Answer.MOVING
        case State.SILENT:
            return Answer.SILENCE
    if differ(vip) or beside_nobodys_mac(vip):
        return Answer.DISAGREEMENT
    return Answer.AGREED if vip.holder or vip.holder_mac else Answer.UNKNOWN


def wire_class(vip: VipSnapshot) -> ClaimantClass | None:
    """What kind of MAC the holder on the wire has; None: there is none, or its node is known."""
    wire = next((one for one in vip.sources if one.source is Source.WIRE and not one.node), None)
    return next((one.claimant_class for one in vip.claimants if wire and one.mac == wire.mac), None)


def beside_nobodys_mac(vip: VipSnapshot) -> bool:
    """A source names a node, and the MAC on the wire is of no known one."""
    nobodys = wire_class(vip) in (ClaimantClass.FOREIGN, ClaimantClass.FHRP)
    return nobodys and any(source.node for source in vip.sources)


def differ(vip: VipSnapshot) -> bool:
    """Two sources name different nodes."""
    names = [source.node for source in vip.sources if source.node]
    return any(not same_node(names[0], name) for name in names[1:])
