"""Snapshots and events as plain objects for JSON: the log, the API and `replay` all show these and no others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from exporter.vip.model import SECOND, Nanoseconds
from exporter.vip.snapshot import Claimant, Event, VipSnapshot

ToWall = Callable[[Nanoseconds], Nanoseconds]
"""From the core's time line to nanoseconds since 1970, UTC."""
Record = dict[str, object]


def rfc3339(wall: Nanoseconds) -> str:
    """Microseconds, UTC."""
    whole, rest = divmod(wall, SECOND)
    moment = datetime.fromtimestamp(whole, UTC).replace(microsecond=rest // 1000)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def event_record(event: Event, to_wall: ToWall) -> Record:
    """One event: `time`, `vip` (empty for the exporter's own), `event`, then what belongs to it."""
    record: Record = {
        "time": rfc3339(to_wall(event.at)),
        "vip": "" if event.vip is None else str(event.vip),
        "event": str(event.name),
    }
    record |= event.fields
    if event.since is not None:
        record["since"] = rfc3339(to_wall(event.since))
    return record


def replay_record(vip: VipSnapshot) -> Record:
    """A VIP at the end of a capture."""
    return {
        "vip": str(vip.address),
        "state": str(vip.state),
        "holder": vip.holder or None,
        "mac": vip.holder_mac or None,
        "moves": vip.moves,
        "contests": vip.contests,
        "withdrawn_claims": vip.withdrawn_claims,
        "mac_changes": vip.mac_changes,
        "claimants": [_claimant(claimant) for claimant in vip.claimants],
        "claimants_overflow": vip.claimants_overflow,
        "mismatches": [str(mismatch.check) for mismatch in vip.mismatches],
        "announcements": {str(kind): number for kind, number in vip.announcements.items()},
    }


def vip_record(vip: VipSnapshot, to_wall: ToWall) -> Record:
    """A VIP now, for the API: what `replay` shows, and what only a live exporter knows."""

    def time(at: Nanoseconds | None) -> str | None:
        return None if at is None else rfc3339(to_wall(at))

    move, lease = vip.last_move, vip.lease
    return replay_record(vip) | {
        "holder_source": vip.holder_source and str(vip.holder_source),
        "since": time(vip.holder_since),
        "mode": str(vip.mode),
        "services": [str(service) for service in vip.services],
        "sources": [
            {
                "source": str(source.source),
                "holder": source.node or None,
                "mac": source.mac or None,
                "since": time(source.since),
            }
            for source in vip.sources
        ],
        "lease": lease
        and {
            "name": lease.name or None,
            "holder": lease.holder or None,
            "fresh": lease.fresh,
            "expires": time(lease.expires),
            "acquired": time(lease.acquired),
            "transitions": lease.transitions,
        },
        "bound": None if vip.bound is None else list(vip.bound),
        "last_move": move and {"time": time(move.at), "from": move.origin, "to": move.target},
        "last_announcement": time(vip.last_announcement),
        "period_seconds": vip.period / SECOND,
        "mismatches": [{"check": str(one.check), "since": time(one.since)} for one in vip.mismatches],
        "requirements": {str(requirement): met for requirement, met in vip.requirements.items()},
        "intent_stale": vip.intent_stale,
    }


def _claimant(claimant: Claimant) -> Record:
    return {"mac": claimant.mac, "holder": claimant.holder or None, "class": str(claimant.claimant_class)}
