"""The two answers of the API: what is asked for comes, in order, page by page, and nothing twice."""

from __future__ import annotations

import time
from dataclasses import replace
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.publish import api
from exporter.publish.api import events_answer, vips_answer
from exporter.publish.history import Cursor, History
from exporter.publish.web.query import BadParameterError, EventsQuery, VipsQuery
from exporter.vip.model import SECOND, State
from exporter.vip.snapshot import Snapshot
from tests.publish.everything import BEGAN, SNAPSHOT, VIPS, from_wall, history, to_wall

ALL = [str(vip.address) for vip in SNAPSHOT.vips]


def ask(query: VipsQuery, snapshot: Snapshot = SNAPSHOT) -> dict:
    return vips_answer(snapshot, query, observer="node-a", to_wall=to_wall)


def shown(query: VipsQuery, snapshot: Snapshot = SNAPSHOT) -> list[str]:
    return [vip["vip"] for vip in ask(query, snapshot)["vips"]]


# --- VIPs -------------------------------------------------------------------------------------------------------------


def test_all_vips_come_in_the_order_of_their_addresses() -> None:
    answer = ask(VipsQuery())
    assert [vip["vip"] for vip in answer["vips"]] == ALL
    assert (answer["time"], answer["observer"], answer["next"]) == ("2026-09-21T14:15:00.123456Z", "node-a", None)


def test_addresses_are_chosen_and_one_that_is_not_watched_is_not_there() -> None:
    wanted = (VIPS["six"], ip_address("198.51.100.1"), VIPS["held"], ip_address("::ffff:192.0.2.100"))
    assert shown(VipsQuery(vips=wanted)) == ["192.0.2.100", "2001:db8::100"]


def test_states_are_chosen() -> None:
    chosen = [vip["state"] for vip in ask(VipsQuery(states=(State.CONTESTED, State.UNKNOWN)))["vips"]]
    assert chosen == ["contested", "unknown"]


def test_next_is_there_only_if_another_one_follows() -> None:
    silent = VipsQuery(states=(State.SILENT,))
    number = len(shown(silent))
    assert ask(replace(silent, limit=number))["next"] is None
    assert ask(replace(silent, limit=number - 1))["next"] == shown(silent)[-2]


def test_after_an_address_that_is_not_watched_the_next_greater_one_comes() -> None:
    assert shown(VipsQuery(after=ip_address("192.0.2.255"))) == ["2001:db8::100", "2001:db8::ffff"]
    assert shown(VipsQuery(after=ip_address("ffff::"))) == []
    assert ask(VipsQuery(after=ip_address("ffff::")))["next"] is None


ADDRESSES = st.lists(st.ip_addresses(), unique=True, max_size=12).map(
    lambda found: sorted(found, key=lambda one: (one.version, int(one)))
)


@given(addresses=ADDRESSES, limit=st.integers(1, 13), data=st.data())
def test_pages_show_each_vip_that_stays_once_whatever_comes_and_goes(addresses, limit, data) -> None:
    """Between two pages any VIP but those of `stay` may be there or not."""
    stay = set(data.draw(st.lists(st.sampled_from(addresses), unique=True))) if addresses else set()
    seen, query = [], VipsQuery(limit=limit)
    while True:
        present = [one for one in addresses if one in stay or data.draw(st.booleans())]
        snapshot = replace(SNAPSHOT, vips=tuple(replace(SNAPSHOT.vips[0], address=one) for one in present))
        answer = ask(query, snapshot)
        seen += [ip_address(vip["vip"]) for vip in answer["vips"]]
        if answer["next"] is None:
            break
        query = replace(query, after=ip_address(answer["next"]))
    assert len(seen) == len(set(seen))
    assert stay <= set(seen) <= set(addresses)
    assert seen == [one for one in addresses if one in seen]


def test_of_a_thousand_vips_only_those_in_the_answer_cost_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    first = ip_address("10.0.0.0")
    many = replace(SNAPSHOT, vips=tuple(replace(SNAPSHOT.vips[0], address=first + n) for n in range(1000)))
    made = []
    record = api.vip_record
    monkeypatch.setattr(api, "vip_record", lambda vip, to_wall: (made.append(vip), record(vip, to_wall))[1])
    began = time.perf_counter()
    assert shown(VipsQuery(limit=10, after=first + 500), many) == [str(first + n) for n in range(501, 511)]
    print(f"10 of 1,000: {(time.perf_counter() - began) * 1000:.1f} ms")
    assert len(made) == 10
    began = time.perf_counter()
    assert len(shown(VipsQuery(), many)) == 1000
    print(f"1,000 of 1,000: {(time.perf_counter() - began) * 1000:.1f} ms")


# --- events -----------------------------------------------------------------------------------------------------------


def read(query: EventsQuery, of: History) -> dict:
    return events_answer(of, query, from_wall=from_wall)


def cursor(text: str) -> Cursor:
    run, _, number = text.partition("-")
    return Cursor(run, int(number))


def test_next_leads_from_the_newest_events_to_the_oldest() -> None:
    past = history()
    whole = read(EventsQuery(limit=1000), past)
    assert whole["next"] is None
    pages, query = [], EventsQuery(limit=7)
    while True:
        answer = read(query, past)
        pages.insert(0, answer["events"])
        if answer["next"] is None:
            break
        query = replace(query, before=cursor(answer["next"]))
    assert [event for page in pages for event in page] == whole["events"]
    assert [len(page) for page in pages[1:]] == [7] * (len(whole["events"]) // 7)


def test_since_is_wall_clock_time() -> None:
    found = read(EventsQuery(since=BEGAN + 40 * SECOND, limit=1000), history())["events"]
    assert found[0]["event"] == "capture_lost"
    assert all(event["time"] >= "2026-09-21T14:14:00.123456Z" for event in found)


@pytest.mark.parametrize("number", [0, 10**14])
def test_a_cursor_of_another_run_is_refused_with_the_remedy(number) -> None:
    before = Cursor(cursor(read(EventsQuery(limit=1), history())["next"]).run, number)
    with pytest.raises(BadParameterError) as caught:
        read(EventsQuery(before=before), history())
    assert (caught.value.parameter, "restarted" in caught.value.problem) == ("before", True)
    assert "begin again without it" in caught.value.remedy
