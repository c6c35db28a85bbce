"""`vip-exporter who`: who holds each VIP now, by which source, since when, and whether they agree.

Exit status 0: they agree. 1: they do not, or the VIP is contested, moving or silent. 2: nobody knows who holds it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from exporter.cli import looking
from exporter.cli.output import columns, say
from exporter.config import ArgumentParser
from exporter.look import Look, look
from exporter.publish.length import length
from exporter.publish.records import Record, rfc3339, vip_record
from exporter.publish.said import VERDICT, agreed, nodeless
from exporter.vip.agreement import Answer, answer
from exporter.vip.model import SECOND, Source
from exporter.vip.nodes import same_node
from exporter.vip.snapshot import SourceHolder, VipSnapshot

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
    say(json.dumps(_record(seen, asked), indent=2) if given.json else "\n".join(_text(seen, asked)))
    return max(EXIT.get(one, 1) for one in answers)


# --- JSON -------------------------------------------------------------------------------------------------------------


def _record(seen: Look, vips: Sequence[VipSnapshot]) -> Record:
    return {
        "time": rfc3339(seen.clock.to_wall(seen.snapshot.at)),
        "observer": seen.observer,
        "listened_seconds": round(seen.listened / SECOND, 3),
        "lacking": looking.lacking_record(seen),
        "vips": [_vip_record(seen, vip) for vip in vips],
    }


def _vip_record(seen: Look, vip: VipSnapshot) -> Record:
    to_wall, since = seen.clock.to_wall, seen.since(vip)
    record = vip_record(vip, to_wall)
    # What only this look shows is no time since when anybody has held it.
    return {"answer": str(answer(vip)), **record, "since": None if since is None else rfc3339(to_wall(since))}


# --- text -------------------------------------------------------------------------------------------------------------


def _text(seen: Look, vips: Sequence[VipSnapshot]) -> Iterator[str]:
    for number, vip in enumerate(vips):
        if number:
            yield ""
        yield from _vip_text(seen, vip)
    if not vips:
        yield "no VIP is known; to look for one all the same, name it: vip-exporter who VIP"
    notes = list(looking.lacking_text(seen))
    if any(answer(vip) not in (Answer.AGREED, Answer.MOVING) for vip in vips):
        notes.append("what to do: vip-exporter check")
    yield from ["", *notes] if notes else []


def _vip_text(seen: Look, vip: VipSnapshot) -> Iterator[str]:
    found, held = answer(vip), _held(seen, vip)
    if found is Answer.AGREED:
        yield f"{vip.address}  {held}"
        yield f"  {agreed(vip)}"
    else:
        yield f"{vip.address}  {VERDICT[found]}"
        if held:
            yield f"  holder, by {vip.holder_source or Source.WIRE}: {held}"
    if vip.services:
        yield f"  service: {', '.join(map(str, vip.services))}"
    yield ""
    yield from columns([("source", "holder", "detail"), *(_source_row(seen, vip, source) for source in Source)])
    for claimant in vip.claimants if found in (Answer.CONTEST, Answer.MOVING) else ():
        yield f"  claimant: {claimant.mac}  {claimant.holder or 'node not known'}  [{claimant.claimant_class}]"


def _held(seen: Look, vip: VipSnapshot) -> str:
    """Who holds it, and since when; empty: nobody is known."""
    if not (holder := vip.holder or (vip.holder_mac and f"{vip.holder_mac} (node not known)")):
        return ""
    since, now = seen.since(vip), seen.snapshot.at
    if since is not None:
        return f"{holder}, since {rfc3339(seen.clock.to_wall(since))[:19]}Z ({length(now - since)})"
    return f"{holder}, for at least {length(now - vip.holder_since)}" if vip.holder_since is not None else holder


def _source_row(seen: Look, vip: VipSnapshot, source: Source) -> tuple[str, str, str]:
    said = next((one for one in vip.sources if one.source is source), None)
    name = (said.node or "?") if said else "-"
    odd = said and said.node and vip.holder and not same_node(said.node, vip.holder)
    return f"  {source}", name, _detail(seen, vip, source, said) + (", DIFFERS" if odd else "")


def _detail(seen: Look, vip: VipSnapshot, source: Source, said: SourceHolder | None) -> str:
    match source:
        case Source.WIRE:
            return _wire(seen, vip, said)
        case Source.LEASE:
            if vip.lease is None:
                return _unheard(seen, source, "no Lease found")
            if not vip.lease.fresh:
                return f"{vip.lease.name}, EXPIRED; it named {vip.lease.holder or 'nobody'}"
            return f"{vip.lease.name}".strip() if vip.lease.holder else f"{vip.lease.name}, names nobody"
        case Source.ANNOTATION:
            if said is None:
                expired = vip.lease is not None and not vip.lease.fresh
                otherwise = "names nobody" if vip.services else "no Service found that has this address"
                return _unheard(seen, source, "not believed while the Lease has expired" if expired else otherwise)
            return "kube-vip.io/vipHost"
        case Source.LOCAL:
            if vip.bound is None:
                return "not available"
            return f"bound on {', '.join(vip.bound)}" if vip.bound else f"not bound on {seen.observer}"


def _wire(seen: Look, vip: VipSnapshot, said: SourceHolder | None) -> str:
    if Source.WIRE in seen.lacking:
        return "not available"
    if vip.last_announcement is None:
        return f"not announced in {length(seen.listened)}"
    announced = f"announced {length(seen.snapshot.at - vip.last_announcement)} ago"
    if said is None:
        return f"{len(vip.claimants)} claimants, {announced}" if vip.claimants else f"last {announced}"
    whose = f" {nodeless(vip)}" if not said.node else ""
    return f"{said.mac}{whose}, {announced}"


def _unheard(seen: Look, source: Source, otherwise: str) -> str:
    """Why nothing from Kubernetes is known, or else what that means."""
    if source in seen.lacking:
        return "not available"
    return otherwise if seen.cluster is not None else "not asked for"
