"""An exporter on every node, and something is away: the API, the holder, the exporter itself."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from exporter.lab.network import mac_of
from tests.e2e.conftest import GRACE, SILENCE
from tests.e2e.observers import (
    LEASE,
    PERIOD,
    SETTLE,
    VIP,
    LabObservers,
    Scrapes,
    agree,
    bound_nodes,
    holders,
    more,
    observers,
    sources,
    without_mismatch,
)


@pytest.fixture(scope="module")
def running() -> Iterator[LabObservers]:
    # After an outage of a quarter of a minute the exporters may wait for half a minute before they ask again.
    with observers(arguments=("--services.relist-interval", "5s")) as running:
        yield running


def kubernetes_up(scrapes: Scrapes) -> set[float | None]:
    return {scrape.value("vip_exporter_kubernetes_up") for scrape in scrapes.values()}


def test_api_away_for_longer_than_a_lease_lasts(running: LabObservers) -> None:
    """Nothing changes. What moves on the wire meanwhile counts, and contradicts nobody; back, all agree on it."""
    before = running.held_by("node-1")
    running.lab.api.stop()
    try:
        running.eventually(lambda scrapes: kubernetes_up(scrapes) == {0}, within=2)
        during = running.throughout(
            LEASE + 0.5,
            lambda scrapes: holders(scrapes) == {"node-1"} and without_mismatch(scrapes),
        )
        assert more(before, during, "vip_moves_total") == {0}
        running.lab.nodes["node-1"].release()
        running.lab.nodes["node-2"].take_over()
        moved = running.eventually(
            lambda scrapes: holders(scrapes) == {"node-2"} and more(before, scrapes, "vip_moves_total") == {1},
            within=GRACE + PERIOD,
        )
        assert bound_nodes(moved) == 1
        running.throughout(SETTLE + 0.5, lambda scrapes: without_mismatch(scrapes) and kubernetes_up(scrapes) == {0})
    finally:
        running.lab.api.start()
    back = time.monotonic()
    running.eventually(lambda scrapes: kubernetes_up(scrapes) == {1} and agree(scrapes, "node-2"), within=30)
    print(f"all sources agree {time.monotonic() - back:.1f} s after the API came back")
    after = running.throughout(SETTLE, without_mismatch)
    assert more(before, after, "vip_moves_total") == {1}
    assert running.lab.api.writes == []


def test_nobody_follows_a_holder_that_crashed(running: LabObservers) -> None:
    """Its lease runs out and then names nobody; nothing is heard; only the node itself still has the address."""
    before = running.held_by("node-1")
    running.lab.nodes["node-1"].crash()
    crashed = time.monotonic()
    running.eventually(
        lambda scrapes: not any("lease" in sources(scrape) for scrape in scrapes.values()), within=LEASE + 1
    )
    assert time.monotonic() - crashed > LEASE - 1
    after = running.eventually(
        lambda scrapes: {scrape.state(VIP) for scrape in scrapes.values()} == {"silent"}, within=SILENCE
    )
    assert {name: scrape.holder(VIP) for name, scrape in after.items()} == {
        "node-1": "node-1",
        "node-2": "",
        "node-3": "",
        "observer": "",
    }
    assert bound_nodes(after) == 1
    assert more(before, after, "vip_moves_total") == {0}


def test_a_move_while_the_exporter_is_away(running: LabObservers) -> None:
    """With a state file it is counted once, without one not at all."""
    running.held_by("node-1")
    lab = running.lab
    remembering, forgetting = (lab.programs[name] for name in ("node-3", "observer"))
    assert remembering.stop() == 0
    remembering.arguments += ["--state.path", str(lab.directory / "state.sqlite")]
    remembering.start()
    remembering.wait_until_ready(str(VIP))
    running.eventually(lambda scrapes: agree(scrapes, "node-1"), within=4)
    assert [program.stop() for program in (remembering, forgetting)] == [0, 0]
    lab.nodes["node-1"].release()
    lab.nodes["node-2"].take_over()
    for program in (remembering, forgetting):
        program.start()
    for program in (remembering, forgetting):
        program.wait_until_ready(str(VIP))
    running.eventually(lambda scrapes: agree(scrapes, "node-2"), within=4)
    after = running.throughout(SETTLE, without_mismatch)
    assert (after["node-3"].total("vip_moves_total"), after["observer"].total("vip_moves_total")) == (1, 0)
    assert after["node-3"].value("vip_exporter_state_file_up") == 1
    # The wire may have shown it before Kubernetes has named the nodes.
    moved = running.events("node-3", "vip_moved")[-1]
    expected = ("node-1", *(mac_of(name).hex(":") for name in ("node-1", "node-2")))
    assert (moved["from"], moved["from_mac"], moved["to_mac"]) == expected
    assert running.events("observer", "vip_moved") == []
