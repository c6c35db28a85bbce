"""The parameters of requests: what is read, and that what is wrong is named, with what to write instead."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.publish.history import Cursor
from exporter.publish.web.query import (
    BadParameterError,
    EventsQuery,
    PageQuery,
    VipsQuery,
    events_query,
    page_query,
    vips_query,
)
from exporter.vip.model import State

ONE, SIX = ip_address("192.0.2.10"), ip_address("2001:db8::1")
ROUND = 1_700_000_000_000_000_000


@pytest.mark.parametrize(
    ("query", "read"),
    [
        ("", VipsQuery(vips=(), states=(), limit=1000, after=None)),
        ("vip=192.0.2.10&limit=1", VipsQuery(vips=(ONE,), limit=1)),
        ("vip=2001:DB8::0:1&vip=192.0.2.10&vip=2001:db8::1", VipsQuery(vips=(SIX, ONE))),
        ("state=silent&state=contested", VipsQuery(states=(State.SILENT, State.CONTESTED))),
        ("after=2001%3Adb8%3A%3A1&limit=1000", VipsQuery(limit=1000, after=SIX)),
        ("&".join(f"vip=192.0.2.{n}" for n in range(20)), VipsQuery(tuple(ONE - 10 + n for n in range(20)))),
    ],
)
def test_what_is_asked_of_vips(query, read) -> None:
    assert vips_query(query) == read


@pytest.mark.parametrize(
    ("query", "read"),
    [
        ("", EventsQuery(vip=None, since=None, limit=100, before=None)),
        ("vip=192.0.2.10&limit=1", EventsQuery(vip=ONE, limit=1)),
        ("vip=2001:DB8::0:1&limit=1000", EventsQuery(vip=SIX, limit=1000)),
        ("since=1700000000", EventsQuery(since=ROUND)),
        ("since=1700000000.000000001", EventsQuery(since=ROUND + 1)),
        ("since=2023-11-14T22:13:20Z", EventsQuery(since=ROUND)),
        ("since=2023-11-14T22:13:20.25Z", EventsQuery(since=ROUND + 250_000_000)),
        ("since=2023-11-15T00:13:20+02:00", EventsQuery(since=ROUND)),
        ("since=2023-11-15T00:13:20%2B02:00", EventsQuery(since=ROUND)),
        ("since=2023-11-14t21:13:20-01:00", EventsQuery(since=ROUND)),
        ("before=00c0ffee-0", EventsQuery(before=Cursor("00c0ffee", 0))),
    ],
)
def test_what_is_asked_of_events(query, read) -> None:
    assert events_query(query) == read


def test_the_page_may_show_some_vips_only() -> None:
    assert page_query("") == PageQuery(vips=())
    assert page_query("vip=192.0.2.10&vip=2001:db8::1") == PageQuery(vips=(ONE, SIX))


def test_equal_questions_are_equal_keys() -> None:
    """However they are written: the server makes one answer for all who wait with the same question."""
    assert len({vips_query("vip=2001:db8::1&limit=9"), vips_query("limit=9&vip=2001:DB8:0::1")}) == 1


BAD = [
    (events_query, "vip=", "vip", "IP address"),
    (events_query, "vip=ingress", "vip", "IP address"),
    (events_query, "vip=192.0.2.1/24", "vip", "IP address"),
    (events_query, "vip=fe80::1%25eth0", "vip", "IP address"),
    (events_query, "vip=192.0.2.1&vip=192.0.2.2", "vip", "once"),
    (events_query, "since=yesterday", "since", "RFC 3339"),
    (events_query, "since=2023-11-14T22:13:20", "since", "RFC 3339"),
    (events_query, "since=2023-13-14T22:13:20Z", "since", "RFC 3339"),
    (events_query, "since=-1", "since", "Unix seconds"),
    (events_query, "since=nan", "since", "Unix seconds"),
    (events_query, "since=%D9%A1", "since", "Unix seconds"),
    (events_query, "limit=0", "limit", "from 1 to 1000"),
    (events_query, "limit=1001", "limit", "from 1 to 1000"),
    (events_query, "limit=007", "limit", "from 1 to 1000"),
    (events_query, "limit=1e2", "limit", "from 1 to 1000"),
    (events_query, "limit=1&limit=2", "limit", "once"),
    (events_query, "before=17", "before", "`next`"),
    (events_query, "before=00C0FFEE-1", "before", "`next`"),
    (events_query, "before=00c0ffee-01", "before", "`next`"),
    (events_query, "before=00c0ffee-1%0A", "before", "`next`"),
    (events_query, f"before=00c0ffee-{'9' * 5000}", "before", "leave it out"),
    (events_query, "sicne=1", "sicne", "vip, since, limit, before"),
    (events_query, "&".join(f"a{n}=1" for n in range(100)), "", "40 at most"),
    (vips_query, "vip=192.0.2.256", "vip", "IP address"),
    (vips_query, "&".join(f"vip=192.0.2.{n}" for n in range(21)), "vip", "20 times at most"),
    (vips_query, "state=lost", "state", "unknown, held, moving, contested, silent"),
    (vips_query, "state=HELD", "state", "held"),
    (vips_query, "&".join(["state=held"] * 6), "state", "5 times at most"),
    (vips_query, "after=next", "after", "`next`"),
    (vips_query, "before=00c0ffee-0", "before", "vip, state, limit, after"),
    (page_query, "limit=1", "limit", "none but vip"),
    (page_query, "vip=<script>", "vip", "IP address"),
]


@pytest.mark.parametrize(("read", "query", "parameter", "remedy"), BAD)
def test_what_is_wrong_is_named(read, query, parameter, remedy) -> None:
    with pytest.raises(BadParameterError) as caught:
        read(query)
    assert caught.value.parameter == parameter
    assert remedy in caught.value.remedy
    assert len(str(caught.value)) < 400


NAMES = st.sampled_from(["vip", "state", "since", "limit", "after", "before", "%76ip", "x"])
VALUES = st.one_of(st.text(max_size=30), st.from_regex(r"[0-9Tt:.Zz+ -]{1,30}"), st.ip_addresses().map(str))


@given(st.lists(st.tuples(NAMES, VALUES), max_size=50), st.sampled_from([vips_query, events_query, page_query]))
def test_no_query_does_anything_but_be_read_or_refused(pairs, read) -> None:
    try:
        hash(read("&".join(f"{name}={value}" for name, value in pairs)))
    except BadParameterError as error:
        assert error.problem
        assert error.remedy
