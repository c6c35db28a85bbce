"""What the sources say of a VIP, in words: `who` and the page show these."""

from __future__ import annotations

from collections.abc import Mapping

from exporter.vip.agreement import Answer, wire_class
from exporter.vip.model import ClaimantClass
from exporter.vip.snapshot import VipSnapshot

VERDICT: Mapping[Answer, str] = {
    Answer.DISAGREEMENT: "THE SOURCES DISAGREE",
    Answer.CONTEST: "CONTESTED: several announce it",
    Answer.MOVING: "MOVING: another has begun to announce it; look again in a moment",
    Answer.SILENCE: "SILENT: nobody announces it",
    Answer.UNKNOWN: "UNKNOWN: nothing that can be seen from here tells who holds it",
}
"""For every answer but that they agree: that one says by whom, as `agreed` has it."""

_NODELESS: Mapping[ClaimantClass | None, str] = {
    ClaimantClass.HWADDR: "which every node has in turn (DHCP)",
    ClaimantClass.FHRP: "which a group of routers shares",
    ClaimantClass.FOREIGN: "which is NO NODE'S",
}


def agreed(vip: VipSnapshot) -> str:
    """Which sources say so: one that names no node, only a MAC, counts where none names a node."""
    sources = [str(one.source) for one in vip.sources if bool(one.node) is bool(vip.holder)]
    return f"agreed by {', '.join(sources)}" if len(sources) > 1 else f"agreed, by one source alone: {sources[0]}"


def nodeless(vip: VipSnapshot) -> str:
    """Of the MAC on the wire, where it names no node: whose it is, as far as that can be told."""
    return _NODELESS.get(wire_class(vip), "whose node is not known")
