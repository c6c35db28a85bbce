"""Real frames to /metrics and back, one situation after the other, over one lab. The tests run in their order."""

from __future__ import annotations

import signal
import time

import pytest

from exporter.lab.network import NODES, OBSERVER, mac_of
from tests.e2e.conftest import BOTH, GRACE, PERIOD, SILENCE, VIP, VIP6, Running, Scrape


@pytest.fixture(autouse=True)
def one_announces(running: Running) -> None:
    """Each test starts with one node that announces both VIPs, and is known for it."""
    lab, holder = running.lab, running.holder
    lab.spoofer.stop()
    for name in NODES:
        if name != holder:
            lab.nodes[name].release()
    if not lab.nodes[holder].announces:
        lab.nodes[holder].take_over()
    mac = mac_of(holder).hex(":")

    def settled(scrape: Scrape, vip: object) -> bool:
        found = scrape.state(vip), scrape.holder(vip), scrape.mac(vip), scrape.value("vip_claimants", vip=str(vip))
        return found == ("held", holder, mac, 1)

    running.eventually(lambda scrape: all(settled(scrape, vip) for vip in BOTH), within=GRACE + PERIOD)


def test_announcements_are_counted_by_kind(running: Running) -> None:
    """With an IPv6 VIP beside it, which does not alternate, the IPv4 one shows both opcodes in turn."""
    before = running.metrics()
    time.sleep(4 * PERIOD)
    after = running.metrics()

    def more(vip: object, kind: str) -> float:
        name = "vip_announcements_total"
        return (after.value(name, vip=str(vip), kind=kind) or 0) - (before.value(name, vip=str(vip), kind=kind) or 0)

    assert [more(VIP, "request"), more(VIP, "reply")] in ([2, 2], [1, 2], [2, 1], [2, 3], [3, 2])
    assert 3 <= more(VIP6, "na") <= 5


def test_clean_move(running: Running) -> None:
    """One move, with both names, and no contest; the annotation makes it settle at once."""
    before = running.metrics()
    running.lab.nodes["node-1"].release()
    running.lab.nodes["node-2"].take_over()
    running.holder = "node-2"
    moved = before.total("vip_moves_total") + len(BOTH)
    after = running.eventually(lambda scrape: scrape.total("vip_moves_total") == moved, within=0)
    assert after.total("vip_contests_total") == before.total("vip_contests_total")
    for vip in BOTH:
        assert (after.state(vip), after.holder(vip), after.mac(vip)) == ("held", "node-2", "02:00:00:00:00:12")
        assert 0 <= (after.value("vip_last_handover_seconds", vip=str(vip)) or -1) < 1
        event = [row for row in running.events("vip_moved") if row["vip"] == str(vip)][-1]
        assert (event["from"], event["to"]) == ("node-1", "node-2")
        assert (event["from_mac"], event["to_mac"]) == ("02:00:00:00:00:11", "02:00:00:00:00:12")


def test_split_brain_and_heal(running: Running) -> None:
    """One contest however often the two interleave, no move; healed, the holder from before is the holder."""
    before = running.metrics()
    contests = before.total("vip_contests_total")
    running.lab.nodes["node-3"].split_brain()
    running.eventually(running.are("contested"), within=GRACE + 2 * PERIOD)
    time.sleep(4 * PERIOD)
    during = running.metrics()
    assert during.total("vip_contests_total") == contests + len(BOTH)
    assert [during.value("vip_claimants", vip=str(vip)) for vip in BOTH] == [2, 2]
    assert [during.mac(vip) for vip in BOTH] == ["", ""]
    running.lab.nodes["node-3"].release()
    after = running.eventually(running.are("held"), within=GRACE + PERIOD)
    assert [after.mac(vip) for vip in BOTH] == [before.mac(vip) for vip in BOTH]
    assert after.total("vip_contests_total") == contests + len(BOTH)
    for name in ("vip_moves_total", "vip_withdrawn_claims_total"):
        assert after.total(name) == before.total(name)


def test_silence_and_return(running: Running) -> None:
    before = running.metrics()
    node = running.lab.nodes[running.holder]
    node.fall_silent()
    since = time.monotonic()
    scrape = running.eventually(running.are("silent"), within=SILENCE)
    assert time.monotonic() - since > SILENCE - 2 * PERIOD
    assert scrape.value("vip_claimants", vip=str(VIP)) == 0
    node.announce()
    after = running.eventually(running.are("held"), within=0)
    assert after.total("vip_moves_total") == before.total("vip_moves_total")
    assert running.events("vip_returned")[-1]["silence_seconds"] == pytest.approx(SILENCE, abs=3)


def test_spoof_flood(running: Running) -> None:
    """Series, claimants and log lines stay bounded; the holder is never pushed out."""
    before = running.metrics()
    lines = len(running.lab.program.log.read_text().splitlines())
    running.lab.spoofer.flood(3000)
    scrape = running.eventually(lambda scrape: scrape.state() == "contested", within=GRACE + 2 * PERIOD)
    first = scrape.of()
    time.sleep(1)
    running.lab.spoofer.stop()
    scrape = running.metrics()
    listed = [key for key in scrape.series if key[0] == "vip_claimant_info" and ("vip", str(VIP)) in key[1]]
    assert len(listed) <= 16
    assert scrape.of() <= first
    assert scrape.value("vip_claimants", vip=str(VIP)) == 16
    assert scrape.total("vip_claimants_overflow_total", vip=str(VIP)) > 10_000
    assert scrape.holder() == running.holder
    assert scrape.state(VIP6) == "held"
    after = running.eventually(lambda scrape: scrape.state() == "held", within=GRACE + PERIOD)
    assert after.mac() == before.mac()
    for name in ("vip_moves_total", "vip_withdrawn_claims_total"):
        assert after.total(name) == before.total(name)
    assert after.total("vip_contests_total", vip=str(VIP)) == before.total("vip_contests_total", vip=str(VIP)) + 1
    assert after.total("vip_exporter_capture_dropped_total") == 0
    assert len(running.lab.program.log.read_text().splitlines()) <= lines + 10


def test_interface_down_and_up(running: Running) -> None:
    """Blind, it says so at once and claims nothing; afterwards it is as before."""
    before = running.metrics()
    network = running.lab.network
    network.set_down(OBSERVER)
    scrape = running.eventually(lambda scrape: scrape.value("vip_exporter_capture_up", device="eth0") == 0, within=0)
    running.eventually(running.are("unknown"), within=0)
    network.set_up(OBSERVER)
    scrape = running.eventually(lambda scrape: scrape.value("vip_exporter_capture_up", device="eth0") == 1, within=3)
    scrape = running.eventually(running.are("held"), within=3)
    assert scrape.total("vip_moves_total") == before.total("vip_moves_total")
    assert scrape.total("vip_contests_total") == before.total("vip_contests_total")
    assert [row["event"] for row in running.events("capture_lost", "capture_restored")] == [
        "capture_lost",
        "capture_restored",
    ]


def test_interface_deleted_and_created_again(running: Running) -> None:
    before = running.metrics()
    network = running.lab.network
    network.detach(OBSERVER)
    running.eventually(lambda scrape: scrape.value("vip_exporter_capture_up", device="eth0") == 0, within=0)
    network.attach(OBSERVER)
    scrape = running.eventually(running.are("held"), within=5)
    assert scrape.value("vip_exporter_capture_up", device="eth0") == 1
    reopens = "vip_exporter_capture_reopens_total"
    assert scrape.total(reopens) > before.total(reopens)
    assert scrape.total("vip_moves_total") == before.total("vip_moves_total")


def test_api_server_down_and_back(running: Running) -> None:
    """The wire goes on being judged, also a move that Kubernetes could not tell of; and nothing is a mismatch."""
    before = running.metrics()
    api = running.lab.api
    assert before.value("vip_exporter_kubernetes_up") == 1
    api.stop()
    running.eventually(lambda scrape: scrape.value("vip_exporter_kubernetes_up") == 0, within=5)
    time.sleep(2)
    down = running.metrics()
    assert [down.state(vip) for vip in BOTH] == ["held", "held"]
    assert down.total("vip_mismatch") == 0
    running.lab.api.start()
    after = running.eventually(lambda scrape: scrape.value("vip_exporter_kubernetes_up") == 1, within=15)
    assert after.total("vip_mismatch") == 0
    assert after.total("vip_moves_total") == before.total("vip_moves_total")
    assert api.writes == []


def test_reload_keeps_the_old_configuration_when_the_new_is_wrong(running: Running) -> None:
    process = running.lab.program.process
    assert process is not None
    good = running.config.read_text()
    successful = "vip_exporter_config_last_reload_successful"
    try:
        running.config.write_text("log:\n  level: loud\n")
        process.send_signal(signal.SIGHUP)
        running.eventually(lambda scrape: scrape.value(successful) == 0, within=2)
        assert [running.metrics().state(vip) for vip in BOTH] == ["held", "held"]
        assert "loud" in running.lab.program.last_words()
    finally:
        running.config.write_text(good)
    process.send_signal(signal.SIGHUP)
    running.eventually(lambda scrape: scrape.value(successful) == 1, within=2)


def test_stop_and_restart(running: Running) -> None:
    """It stops within two seconds, with status 0; started again, it knows the holder and invents no move."""
    begun = time.monotonic()
    assert running.lab.program.stop() == 0
    assert time.monotonic() - begun < 2
    running.lab.program.start()
    running.lab.program.wait_until_ready(str(VIP6))
    scrape = running.eventually(running.are("held"), within=2)
    assert [scrape.holder(vip) for vip in BOTH] == [running.holder] * 2
    assert scrape.total("vip_moves_total") == 0
