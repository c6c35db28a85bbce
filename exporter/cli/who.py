"""`vip-exporter who`: who holds each VIP now, by which source, since when, and whether they agree.

Exit status 0: they agree. 1: they do not, or the VIP is contested, moving or silent. 2: nobody knows who holds it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from enum import StrEnum

from exporter.cli import looking
from exporter.cli.table import ago, columns
from exporter.config import ArgumentParser
from exporter.look import Look, look
from exporter.publish.records import Record, rfc3339, vip_record
from exporter.vip.model import SECOND, Nanoseconds, Source, State
from exporter.vip.nodes import same_node
from exporter.vip.snapshot import SourceHolder, VipSnapshot


class Answer(StrEnum):
    AGREED = "agreed"
    DISAGREEMENT = "disagreement"
    CONTEST = "contest"
    MOVING = "moving"
    SILENCE = "silence"
    UNKNOWN = "unknown"


EXIT = {Answer.AGREED: 0, Answer.UNKNOWN: 2}
"""Every other answer: 1."""


def main(arguments: Sequence[str]) -> int:
    parser = ArgumentParser(
        prog="vip-exporter who",
        description="Says who holds the virtual IP now, by each source, since when, and whether they agree.",
        epilog="exit status: 0 agreed, 1 disagreement, contest, move or silence, 2 unknown, 64 bad input",
    )
    looking.add_arguments(parser)
    given = parser.parse_args(arguments)
    config, intent, vips = looking.read(given)
    seen = look(config, intent, vips=vips)
    asked = [vip for vip in seen.snapshot.vips if not vips or vip.address in vips]
    answers = [answer(vip) for vip in asked] or [Answer.UNKNOWN]
    print(json.dumps(_record(seen, asked), indent=2) if given.json else "\n".join(_text(seen, asked)))
    return max(EXIT.get(one, 1) for one in answers)


def answer(vip: VipSnapshot) -> Answer:
    """What all sources together come to, as they are now: the settle time is for whoever watches longer."""
    match vip.state:
        case State.CONTESTED:
            return Answer.CONTEST
        case State.MOVING:
            return Answer.MOVING
        case State.SILENT:
            return Answer.SILENCE
    names = [source.node for source in vip.sources if source.node]
    if any(not same_node(names[0], name) for name in names[1:]):
        return Answer.DISAGREEMENT
    return Answer.AGREED if vip.holder or vip.holder_mac else Answer.UNKNOWN


# --- JSON -------------------------------------------------------------------------------------------------------------


def _record(seen: Look, vips: Sequence[VipSnapshot]) -> Record:
    to_wall = seen.clock.to_wall
    return {
        "time": rfc3339(to_wall(seen.snapshot.at)),
        "observer": seen.observer,
        "listened_seconds": round(seen.listened / SECOND, 3),
        "lacking": {str(source): reason for source, reason in seen.lacking.items()},
        "vips": [{"answer": str(answer(vip)), **vip_record(vip, to_wall)} for vip in vips],
    }


# --- text -------------------------------------------------------------------------------------------------------------


def _text(seen: Look, vips: Sequence[VipSnapshot]) -> Iterator[str]:
    for number, vip in enumerate(vips):
        if number:
            yield ""
        yield from _vip_text(seen, vip)
    if not vips:
        yield "no VIP is known"
    if seen.lacking:
        yield ""
        for source, reason in seen.lacking.items():
            yield f"lacking {_MEANS[source]}: {reason}"


_MEANS = {
    Source.WIRE: "the wire",
    Source.ANNOTATION: "Kubernetes",
    Source.LEASE: "the Lease",
    Source.LOCAL: "the addresses bound here",
}
_SAYS = {
    Answer.AGREED: "agreed",
    Answer.DISAGREEMENT: "THE SOURCES DISAGREE",
    Answer.CONTEST: "CONTESTED",
    Answer.MOVING: "MOVING",
    Answer.SILENCE: "SILENT: nobody announces it",
    Answer.UNKNOWN: "UNKNOWN",
}


def _vip_text(seen: Look, vip: VipSnapshot) -> Iterator[str]:
    now = seen.snapshot.at
    holder = vip.holder or (vip.holder_mac and f"{vip.holder_mac} (node not known)") or "nobody known"
    since = ""
    if vip.holder_since is not None and (vip.holder or vip.holder_mac):
        since = f", since {rfc3339(seen.clock.to_wall(vip.holder_since))[:19]}Z ({ago(now - vip.holder_since)})"
    yield f"{vip.address}  {holder}{since}"
    yield f"  {_SAYS[answer(vip)]}"
    if vip.services:
        yield f"  service: {', '.join(map(str, vip.services))}"
    yield ""
    yield from columns([("source", "holder", "detail"), *(_source_row(seen, vip, source, now) for source in Source)])
    for claimant in vip.claimants if vip.state in (State.CONTESTED, State.MOVING) else ():
        yield f"  claimant: {claimant.mac}  {claimant.holder or 'node not known'}  [{claimant.claimant_class}]"


def _source_row(seen: Look, vip: VipSnapshot, source: Source, now: Nanoseconds) -> tuple[str, str, str]:
    said = next((one for one in vip.sources if one.source is source), None)
    name = (said.node or said.mac) if said else "-"
    return f"  {source}", name, _detail(seen, vip, source, said, now)


def _detail(seen: Look, vip: VipSnapshot, source: Source, said: SourceHolder | None, now: Nanoseconds) -> str:
    match source:
        case Source.WIRE:
            if source in seen.lacking:
                return "not available"
            if vip.last_announcement is None:
                return f"not announced in {ago(seen.listened)}"
            mac = f"{said.mac}, " if said else ""
            return f"{mac}announced {ago(now - vip.last_announcement)} ago"
        case Source.LEASE:
            if vip.lease is None:
                return _unheard(seen, "no Lease found")
            if not vip.lease.fresh:
                return f"{vip.lease.name}, EXPIRED; it named {vip.lease.holder or 'nobody'}"
            return f"{vip.lease.name}".strip() if vip.lease.holder else f"{vip.lease.name}, names nobody"
        case Source.ANNOTATION:
            if said is None:
                expired = vip.lease is not None and not vip.lease.fresh
                return _unheard(seen, "not believed while the Lease has expired" if expired else "names nobody")
            return "kube-vip.io/vipHost"
        case Source.LOCAL:
            if vip.bound is None:
                return "not available"
            return f"bound on {', '.join(vip.bound)}" if vip.bound else f"not bound on {seen.observer}"


def _unheard(seen: Look, otherwise: str) -> str:
    """Why nothing from Kubernetes is known, or else what that means."""
    if Source.ANNOTATION in seen.lacking:
        return "not available"
    return otherwise if seen.cluster is not None else "not asked for"
