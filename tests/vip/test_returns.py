"""What a handover and a silence are measured from, and whose a return is."""

from __future__ import annotations

from exporter.vip.model import format_mac, seconds
from tests.vip.more import leases, of_name, remembered
from tests.vip.situations import announce, frames, in_seconds, interleave, mac_of, node, nodes, play

A = format_mac(mac_of("A"))


def test_a_handover_is_measured_from_the_last_frame_of_the_holders_node_by_whichever_mac() -> None:
    told = interleave(
        nodes(0, node("AX"), "B"), announce("A", until=30), frames("X", 34), announce("B", from_=36, until=60)
    )
    assert in_seconds(play(told).vip().last_handover) == 2


def test_silence_is_measured_from_it_too() -> None:
    run = play(interleave(nodes(0, node("AX")), announce("A", until=30), frames("X", 34)), until=60)
    assert [event.at for event in of_name(run, "vip_silent")] == [seconds(44) + 1]


def test_a_remembered_mac_that_is_heard_names_its_node() -> None:
    past = remembered(0, "node-a", "A", since=-100, heard=-5)
    run = play(interleave(nodes(0, "A", "B"), past, frames("A", 1)))
    assert run.last("vip_seen").fields == {"mac": A, "holder": "node-a"}


def test_a_return_names_the_node_that_returned() -> None:
    """Not the one that the lease went over to in the silence."""
    told = interleave(
        nodes(0, "A", "B"), leases(0, "node-a"), announce("A", until=30), leases(100, "node-b"), frames("A", 130)
    )
    run = play(told)
    assert run.last("vip_returned").fields == {"mac": A, "holder": "node-a", "silence_seconds": 100}
