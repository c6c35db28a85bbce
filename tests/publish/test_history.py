"""The recent past in memory: bounded, newest kept, found by address and by time."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from exporter.publish.history import History

ONE, OTHER = ip_address("192.0.2.100"), ip_address("2001:db8::100")

QUERIES: dict[str, tuple[dict, list[int]]] = {
    "everything, oldest first": ({}, [2, 3, 4, 5]),
    "of one address": ({"vip": ONE}, [2, 4]),
    "since a moment, itself included": ({"since": 4}, [4, 5]),
    "the newest": ({"limit": 2}, [4, 5]),
    "the newest of one address": ({"vip": ONE, "limit": 1}, [4]),
    "of an address that nothing is known of": ({"vip": ip_address("192.0.2.1")}, []),
}


@pytest.mark.parametrize(("query", "numbers"), QUERIES.values(), ids=QUERIES)
def test_what_is_asked_for_comes_back(query, numbers) -> None:
    """Of five events four have room; the third is the exporter's own and belongs to no VIP."""
    history = History(4)
    for number, vip in enumerate([ONE, ONE, None, ONE, OTHER], start=1):
        history.add(at=number, vip=vip, record={"number": number})
    assert [record["number"] for record in history.newest(**query)] == numbers
