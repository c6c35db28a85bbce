"""The recent past in memory: bounded, newest kept, found by address and by time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from ipaddress import ip_address
from itertools import count
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.publish.history import Cursor, History, StrangeCursorError, read_cursor
from exporter.vip.model import IPAddress

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


# --- pages ------------------------------------------------------------------------------------------------------------

VIPS = st.sampled_from([ONE, OTHER, None])
LIMITS = st.integers(1, 5)


def begin(limit: int) -> tuple[History, Callable[[Iterable[IPAddress | None]], None]]:
    """A history, and what adds events of these VIPs to it, all numbered from 0 on."""
    history, numbers = History(limit), count()

    def add(vips: Iterable[IPAddress | None]) -> None:
        for vip, number in zip(vips, numbers, strict=False):
            history.add(at=number, vip=vip, record={"number": number})

    return history, add


@given(before=st.lists(VIPS, max_size=20), meanwhile=st.lists(st.lists(VIPS, max_size=4)), limit=LIMITS, data=st.data())
def test_pages_show_each_event_once_while_new_ones_come(before, meanwhile, limit, data) -> None:
    """All that was there at the first page, in order, for a VIP or for all, from a moment on or from the beginning."""
    history, add = begin(10_000)
    add(before)
    vip, since = data.draw(st.none() | VIPS), data.draw(st.none() | st.integers(0, 20))
    expected = history.newest(vip=vip, since=since)
    page = history.page(vip=vip, since=since, limit=limit)
    pages = [page.records]
    while page.older is not None:
        add(meanwhile.pop() if meanwhile else [])
        page = history.page(vip=vip, since=since, limit=limit, before=page.older)
        pages.insert(0, page.records)
    assert [record for records in pages for record in records] == expected
    assert all(len(records) == limit for records in pages[1:])
    assert all(pages) or pages == [[]]


@given(room=st.integers(1, 8), before=st.integers(0, 20), meanwhile=st.lists(st.integers(0, 6)), limit=LIMITS)
def test_what_gives_way_between_pages_is_the_end(room, before, meanwhile, limit) -> None:
    """No event comes twice or out of order, and between two that come none is left out."""
    history, add = begin(room)
    add([ONE] * before)
    page = history.page(limit=limit)
    seen = page.records
    while page.older is not None:
        add([ONE] * (meanwhile.pop() if meanwhile else 0))
        page = history.page(limit=limit, before=page.older)
        seen = page.records + seen
    numbers = [record["number"] for record in seen]
    assert numbers == list(range(before - len(numbers), before))


def test_pages_hold_while_another_thread_adds() -> None:
    history, add = begin(50_000)
    add([ONE, OTHER] * 500)
    writer = Thread(target=add, args=([ONE, None] * 5000,))
    writer.start()
    page = history.page(vip=OTHER, limit=7)
    seen = page.records
    while page.older is not None:
        page = history.page(vip=OTHER, limit=7, before=page.older)
        seen = page.records + seen
    writer.join()
    assert [record["number"] for record in seen] == list(range(1, 1000, 2))


def test_a_cursor_is_of_one_run_and_of_what_that_run_has_given_out() -> None:
    (history, add), (again, add_again) = begin(10), begin(10)
    add([ONE] * 5)
    add_again([ONE] * 5)
    cursor = history.page(limit=2).older
    assert cursor is not None
    assert [record["number"] for record in history.page(before=cursor).records] == [0, 1, 2]
    for strange, where in ((cursor, again), (replace(cursor, number=5), history)):
        with pytest.raises(StrangeCursorError):
            where.page(before=strange)


def test_a_cursor_is_read_as_it_is_written() -> None:
    assert read_cursor(str(Cursor("00c0ffee", 17))) == Cursor("00c0ffee", 17)
