"""The answers of the JSON API, and the document that describes it: plain objects, made of what is known; no HTTP."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from exporter.publish.history import History, StrangeCursorError
from exporter.publish.records import Record, ToWall, rfc3339, vip_record
from exporter.publish.web.query import BadParameterError, EventsQuery, VipsQuery
from exporter.vip.model import IPAddress, Nanoseconds
from exporter.vip.snapshot import Snapshot


def vips_answer(snapshot: Snapshot, query: VipsQuery, *, observer: str, to_wall: ToWall) -> Record:
    """The VIPs that are asked for, in the order of their addresses, and where the next page begins."""
    after = None if query.after is None else _place(query.after)
    wanted = frozenset(query.vips)
    # Of the others no record is made: that is what costs.
    matching = (
        vip
        for vip in snapshot.vips
        if (not wanted or vip.address in wanted)
        and (not query.states or vip.state in query.states)
        and (after is None or _place(vip.address) > after)
    )
    page = list(islice(matching, query.limit))
    is_last = next(matching, None) is None
    return {
        "time": rfc3339(to_wall(snapshot.at)),
        "observer": observer,
        "vips": [vip_record(vip, to_wall) for vip in page],
        "next": None if is_last else str(page[-1].address),
    }


def events_answer(history: History, query: EventsQuery, *, from_wall: Callable[[Nanoseconds], Nanoseconds]) -> Record:
    """The newest events that are asked for, oldest first, and where the next older page ends.

    Raises:
        BadParameterError: the cursor is not of this run of the exporter.
    """
    since = None if query.since is None else from_wall(query.since)
    try:
        page = history.page(vip=query.vip, since=since, limit=query.limit, before=query.before)
    except StrangeCursorError:
        raise BadParameterError(
            parameter="before",
            problem="not of this run of the exporter, which has been restarted since",
            remedy="begin again without it: the newest events come first",
        ) from None
    return {"events": page.records, "next": None if page.older is None else str(page.older)}


def _place(address: IPAddress) -> tuple[int, int]:
    return address.version, int(address)
