"""`vip-exporter replay`: captures in, verdicts out, in every format; bad input is one clear line."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import struct
import subprocess
import sys
from collections.abc import Iterable
from html import escape
from ipaddress import ip_address
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporter.cli import main
from exporter.vip.model import SECOND, Kind, Mac, parse_mac
from exporter.wire import craft

VIP = ip_address("192.0.2.100")
VIP6 = ip_address("2001:db8::100")
A, B, C = (parse_mac(f"02:00:00:00:00:0{letter}") for letter in "abc")
START = 1_700_000_000 * SECOND
Packets = list[tuple[int, bytes]]


def announce(
    mac: Mac, begin: float, end: float, *, vip=VIP, kinds=(Kind.REPLY, Kind.REQUEST), every: float = 3
) -> Packets:
    """One announcer from `begin` up to but not including `end`, seconds after START."""
    packets, at, number = [], begin, 0
    while at < end:
        packets.append((START + round(at * SECOND), craft.announcement(vip, mac, kinds[number % len(kinds)])))
        at, number = at + every, number + 1
    return packets


def at(second: float, frame: bytes) -> tuple[int, bytes]:
    return START + round(second * SECOND), frame


@pytest.fixture
def capture(tmp_path: Path):
    def write(packets: Iterable[tuple[int, bytes]], **options) -> Path:
        path = tmp_path / "capture.pcap"
        craft.write_capture(path, sorted(packets, key=lambda packet: packet[0]), **options)
        return path

    return write


@pytest.fixture
def replay(capsys: pytest.CaptureFixture[str]):
    def run(path: Path | str, *arguments: str) -> dict:
        assert main(["replay", str(path), "--format", "json", *arguments]) == 0
        return json.loads(capsys.readouterr().out)

    return run


def only(document: dict) -> dict:
    (vip,) = document["vips"]
    return vip


def names(document: dict) -> list[str]:
    return [event["event"] for event in document["events"]]


@pytest.mark.parametrize(
    ("vip", "kinds"),
    [
        (VIP, (Kind.REPLY, Kind.REQUEST)),
        (VIP, (Kind.REQUEST,)),
        (VIP, (Kind.REPLY,)),
        (VIP6, (Kind.NA,)),
    ],
    ids=["alternating", "requests only", "replies only", "IPv6"],
)
class TestWhateverTheAnnouncer:
    def test_a_holder_is_held(self, capture, replay, vip, kinds) -> None:
        document = replay(capture(announce(A, 0, 30, vip=vip, kinds=kinds)))
        verdict = only(document)
        assert verdict["vip"] == str(vip)
        assert (verdict["state"], verdict["mac"], verdict["holder"]) == ("held", "02:00:00:00:00:0a", None)
        assert (verdict["moves"], verdict["contests"], verdict["withdrawn_claims"]) == (0, 0, 0)
        assert sum(verdict["announcements"].values()) == 10
        assert names(document) == ["vip_seen"]

    def test_a_clean_move_counts_once(self, capture, replay, vip, kinds) -> None:
        packets = announce(A, 0, 30, vip=vip, kinds=kinds) + announce(B, 31, 60, vip=vip, kinds=kinds)
        document = replay(capture(packets))
        verdict = only(document)
        assert (verdict["state"], verdict["mac"], verdict["moves"]) == ("held", "02:00:00:00:00:0b", 1)
        (move,) = [event for event in document["events"] if event["event"] == "vip_moved"]
        assert (move["from_mac"], move["to_mac"]) == ("02:00:00:00:00:0a", "02:00:00:00:00:0b")
        assert move["handover_seconds"] == 4.0
        assert move["since"] == "2023-11-14T22:13:51.000000Z"

    def test_a_split_brain_is_one_contest(self, capture, replay, vip, kinds) -> None:
        packets = announce(A, 0, 60, vip=vip, kinds=kinds) + announce(B, 20, 60, vip=vip, kinds=kinds)
        document = replay(capture(packets))
        verdict = only(document)
        assert (verdict["state"], verdict["mac"], verdict["moves"], verdict["contests"]) == ("contested", None, 0, 1)
        assert [claimant["mac"] for claimant in verdict["claimants"]] == ["02:00:00:00:00:0a", "02:00:00:00:00:0b"]

    def test_a_healed_split_brain_is_held_by_the_survivor(self, capture, replay, vip, kinds) -> None:
        packets = announce(A, 0, 45, vip=vip, kinds=kinds) + announce(B, 20, 80, vip=vip, kinds=kinds)
        document = replay(capture(packets))
        verdict = only(document)
        assert (verdict["state"], verdict["mac"]) == ("held", "02:00:00:00:00:0b")
        assert (verdict["moves"], verdict["contests"], verdict["withdrawn_claims"]) == (1, 1, 0)
        assert names(document) == ["vip_seen", "contest_started", "contest_ended", "vip_moved"]

    def test_silence_is_no_holder(self, capture, replay, vip, kinds) -> None:
        # Another host's chatter is what makes time go on in a capture.
        chatter = at(60, craft.ordinary_request(ip_address("192.0.2.7"), C, ip_address("192.0.2.8")))
        document = replay(capture([*announce(A, 0, 30, vip=vip, kinds=kinds), chatter]))
        verdict = only(document)
        assert (verdict["state"], verdict["mac"], verdict["claimants"]) == ("silent", None, [])
        assert names(document) == ["vip_seen", "vip_silent"]
        assert document["ignored"] == {"other_address": 1}

    def test_a_return_after_silence_is_no_move(self, capture, replay, vip, kinds) -> None:
        document = replay(capture(announce(A, 0, 30, vip=vip, kinds=kinds) + announce(A, 60, 90, vip=vip, kinds=kinds)))
        assert (only(document)["state"], only(document)["moves"]) == ("held", 0)
        assert names(document) == ["vip_seen", "vip_silent", "vip_returned"]
        assert document["events"][-1]["silence_seconds"] == 33.0


def test_a_flood_leaves_the_true_holder(capture, replay) -> None:
    """5,000 random MACs beside the holder: one contest, at most 16 claimants, and the holder again when it is over."""
    source = random.Random(1)
    flood = [
        at(20 + number / 250, craft.announcement(VIP, Mac(b"\x02" + source.randbytes(5)))) for number in range(5000)
    ]
    during = only(replay(capture(announce(A, 0, 40) + flood)))
    assert (during["state"], during["moves"], during["contests"]) == ("contested", 0, 1)
    assert len(during["claimants"]) == 16
    assert during["claimants"][0]["mac"] == "02:00:00:00:00:0a"
    assert during["claimants_overflow"] == 5000 - 15
    assert during["announcements"]["request"] + during["announcements"]["reply"] == 5000 + 14
    after = only(replay(capture(announce(A, 0, 60) + flood)))
    assert (after["state"], after["mac"], after["moves"], after["contests"]) == ("held", "02:00:00:00:00:0a", 0, 1)
    assert [claimant["mac"] for claimant in after["claimants"]] == ["02:00:00:00:00:0a"]


def test_tags_and_malformed_frames_are_counted_and_change_nothing(capture, replay) -> None:
    """VLAN 0 is watched like no tag; another VLAN is another address; broken frames have a reason each."""
    good = craft.announcement(VIP, A)
    packets = [
        *announce(A, 0, 30),
        at(30, craft.tagged(good, 0)),
        at(31, craft.tagged(craft.announcement(VIP, B), 100)),
        at(32, craft.tagged(craft.announcement(VIP, B), 100, 200)),
        at(32.1, good[:30]),
        at(32.2, good[:18] + b"\x08" + good[19:]),  # hlen 8
        at(32.3, good[:20] + b"\x00\x09" + good[22:]),  # an opcode of inverse ARP
        at(32.4, craft.announcement(VIP, Mac(b"\xff" * 6))),
        at(32.5, b"\x00" * 12),
    ]
    document = replay(capture(packets))
    verdict = only(document)
    assert (verdict["state"], verdict["mac"], verdict["moves"]) == ("held", "02:00:00:00:00:0a", 0)
    assert sum(verdict["announcements"].values()) == 11
    assert document["ignored"] == {
        "bad_lengths": 1,
        "bad_opcode": 1,
        "bad_sha": 1,
        "other_vlan": 2,
        "truncated": 2,
    }


def test_only_the_named_vips_are_judged(capture, replay) -> None:
    other = ip_address("192.0.2.200")
    packets = announce(A, 0, 30) + announce(B, 1, 30, vip=other)
    assert [vip["vip"] for vip in replay(capture(packets))["vips"]] == ["192.0.2.100", "192.0.2.200"]
    document = replay(capture(packets), "--vip", "192.0.2.200")
    assert only(document)["vip"] == "192.0.2.200"
    assert document["ignored"] == {"other_address": 10}


def test_a_named_vip_that_nobody_announces_is_unknown_then_silent(capture, replay) -> None:
    short = capture(announce(A, 0, 15))
    assert only(replay(short, "--vip", "192.0.2.1"))["state"] == "unknown"
    long = capture(announce(A, 0, 30))
    assert only(replay(long, "--vip", "192.0.2.1"))["state"] == "silent"


def test_probes_and_ordinary_traffic_are_no_claims(capture, replay) -> None:
    packets = [
        *announce(A, 0, 30),
        at(10, craft.probe(VIP, C)),
        at(11, craft.ordinary_reply(VIP, B, ip_address("192.0.2.7"), C)),
        at(12, craft.ordinary_request(VIP, B, ip_address("192.0.2.7"))),
    ]
    document = replay(capture(packets))
    assert (only(document)["state"], len(only(document)["claimants"])) == ("held", 1)
    assert names(document) == ["vip_seen", "probe_seen"]


INTENT = """
vips:
  - address: 192.0.2.100
    mode: static
    service: kube-system/ingress-expose
    timeline:
      - {at: 0, vipHost: node-1}
      - {at: 32, vipHost: NODE-2.example.org}
nodes:
  - {name: node-1, addresses: [192.0.2.11], macs: ["02:00:00:00:00:0a", "02:00:00:00:01:0a"]}
  - {name: node-2, addresses: [192.0.2.12], macs: ["02:00:00:00:00:0b"]}
"""


@pytest.fixture
def intent(tmp_path: Path):
    def write(text: str) -> str:
        (tmp_path / "intent.yaml").write_text(text)
        return str(tmp_path / "intent.yaml")

    return write


class TestWithAnIntentFile:
    def test_nodes_are_named_and_agreement_is_no_mismatch(self, capture, replay, intent) -> None:
        document = replay(capture(announce(A, 0, 30) + announce(B, 31, 80)), "--intent", intent(INTENT))
        verdict = only(document)
        assert (verdict["holder"], verdict["moves"], verdict["mismatches"]) == ("node-2", 1, [])
        (move,) = [event for event in document["events"] if event["event"] == "vip_moved"]
        assert (move["from"], move["to"]) == ("node-1", "node-2")
        assert verdict["claimants"] == [{"mac": "02:00:00:00:00:0b", "holder": "node-2", "class": "node"}]

    def test_a_second_source_settles_a_move_at_once(self, capture, replay, intent) -> None:
        """The annotation follows a second after the first frame: no waiting for the old claim to lapse."""
        document = replay(capture(announce(A, 0, 30) + announce(B, 31, 33)), "--intent", intent(INTENT))
        assert (only(document)["state"], only(document)["moves"]) == ("moving", 0)
        quiet = at(33, craft.ordinary_request(ip_address("192.0.2.7"), C, ip_address("192.0.2.8")))
        document = replay(capture([*announce(A, 0, 30), *announce(B, 31, 33), quiet]), "--intent", intent(INTENT))
        assert (only(document)["state"], only(document)["moves"]) == ("held", 1)

    def test_an_annotation_left_behind_is_a_mismatch(self, capture, replay, intent) -> None:
        stale = INTENT.replace("      - {at: 32, vipHost: NODE-2.example.org}\n", "")
        document = replay(capture(announce(A, 0, 30) + announce(B, 31, 80)), "--intent", intent(stale))
        assert only(document)["mismatches"] == ["host", "mac"]
        assert names(document)[-2:] == ["mismatch_started", "mismatch_started"]

    def test_two_macs_of_one_node_are_flux(self, capture, replay, intent) -> None:
        second = parse_mac("02:00:00:00:01:0a")
        document = replay(capture(announce(A, 0, 60) + announce(second, 1, 60)), "--intent", intent(INTENT))
        verdict = only(document)
        assert (verdict["state"], verdict["moves"], verdict["contests"]) == ("held", 0, 0)
        assert (verdict["mac_changes"], verdict["holder"], len(verdict["claimants"])) == (0, "node-1", 2)

    def test_a_new_mac_of_the_same_node_is_no_move(self, capture, replay, intent) -> None:
        second = parse_mac("02:00:00:00:01:0a")
        document = replay(capture(announce(A, 0, 30) + announce(second, 31, 60)), "--intent", intent(INTENT))
        verdict = only(document)
        assert (verdict["state"], verdict["moves"], verdict["mac_changes"]) == ("held", 0, 1)
        assert verdict["mac"] == "02:00:00:00:01:0a"

    def test_a_stranger_is_foreign(self, capture, replay, intent) -> None:
        document = replay(capture(announce(A, 0, 62) + announce(C, 20, 61)), "--intent", intent(INTENT))
        classes = {claimant["mac"]: claimant["class"] for claimant in only(document)["claimants"]}
        assert classes == {"02:00:00:00:00:0a": "node", "02:00:00:00:00:0c": "foreign"}

    def test_the_same_mac_everywhere_moves_by_annotation(self, capture, replay, intent) -> None:
        """DHCP mode of kube-vip 0.8.2 and later: the wire shows one MAC whoever holds the VIP."""
        shared = INTENT.replace("static", "dhcp\n    hwaddr: 02:00:00:00:00:0c").replace("NODE-2.example.org", "node-2")
        document = replay(capture(announce(C, 0, 60)), "--intent", intent(shared))
        verdict = only(document)
        assert (verdict["holder"], verdict["moves"], verdict["mismatches"]) == ("node-2", 1, [])
        assert verdict["claimants"] == [{"mac": "02:00:00:00:00:0c", "holder": None, "class": "hwaddr"}]

    def test_a_vlan_id_chooses_the_vlan(self, capture, replay, intent) -> None:
        text = "vips:\n  - {address: 192.0.2.100, vlan: 100}\n"
        inside = [(moment, craft.tagged(frame, 100)) for moment, frame in announce(A, 0, 30)]
        document = replay(capture(inside + announce(B, 1, 30)), "--intent", intent(text))
        assert (only(document)["state"], only(document)["mac"]) == ("held", "02:00:00:00:00:0a")
        assert document["ignored"] == {"other_vlan": 10}

    def test_one_shot_announcers_never_fall_silent(self, capture, replay, intent) -> None:
        text = "vips:\n  - {address: 192.0.2.100, period: 0}\n"
        packets = [at(0, craft.announcement(VIP, A)), at(500, craft.announcement(VIP, B))]
        packets.append(at(600, craft.probe(ip_address("192.0.2.9"), C)))
        document = replay(capture(packets), "--intent", intent(text))
        assert (only(document)["state"], only(document)["mac"], only(document)["moves"]) == (
            "held",
            "02:00:00:00:00:0b",
            1,
        )

    def test_a_new_address_of_the_service(self, capture, replay, intent) -> None:
        """The old address stays watched until it is silent, and is a mismatch of the new one while announced."""
        text = """
vips:
  - address: 192.0.2.100
    timeline: [{at: 20, addresses: [192.0.2.101]}]
"""
        new = ip_address("192.0.2.101")
        both = announce(A, 0, 50) + announce(A, 21, 50, vip=new)
        during = {vip["vip"]: vip for vip in replay(capture(both), "--intent", intent(text))["vips"]}
        assert during["192.0.2.101"]["mismatches"] == ["address"]
        assert during["192.0.2.100"]["state"] == "held"
        # Without --vip an address that is announced stays in the report; a live exporter would drop it now.
        healed = announce(A, 0, 50) + announce(A, 21, 80, vip=new)
        after = {vip["vip"]: vip for vip in replay(capture(healed), "--intent", intent(text))["vips"]}
        assert (after["192.0.2.101"]["state"], after["192.0.2.101"]["mismatches"]) == ("held", [])


class TestOtherFormats:
    def test_metrics_are_an_exposition(self, capture, capsys) -> None:
        path = capture(announce(A, 0, 30) + announce(B, 31, 60))
        assert main(["replay", str(path), "--format", "metrics"]) == 0
        families = {family.name: family for family in text_string_to_metric_families(capsys.readouterr().out)}
        assert [sample.value for sample in families["vip_moves"].samples] == [1]
        (state,) = [sample for sample in families["vip_state"].samples if sample.value]
        assert state.labels == {"vip": "192.0.2.100", "state": "held"}
        (handover,) = [
            sample for sample in families["vip_handover_seconds"].samples if sample.labels.get("le") == "5.0"
        ]
        assert handover.value == 1

    def test_text_is_the_default(self, capture, capsys) -> None:
        assert main(["replay", str(capture(announce(A, 0, 30) + announce(B, 31, 60)))]) == 0
        text = capsys.readouterr().out
        assert "192.0.2.100  HELD  holder: (02:00:00:00:00:0b)" in text
        assert "moves: 1, contests: 0" in text
        assert "vip_moved" in text

    def test_text_of_nothing(self, capture, capsys) -> None:
        assert main(["replay", str(capture([]))]) == 0
        assert "nobody announces an address" in capsys.readouterr().out


def test_gzip_and_standard_input(capture, replay, monkeypatch) -> None:
    packed = gzip.compress(capture(announce(A, 0, 30)).read_bytes())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(packed))))
    assert only(replay("-"))["state"] == "held"


def test_a_cut_capture_is_read_as_far_as_it_goes(capture, capsys) -> None:
    path = capture(announce(A, 0, 30))
    path.write_bytes(path.read_bytes()[:-10])
    assert main(["replay", str(path), "--format", "json"]) == 0
    out, err = capsys.readouterr()
    assert sum(json.loads(out)["vips"][0]["announcements"].values()) == 9
    assert "ends in the middle of a record; all 9 whole packets were read" in err


BAD_INPUT = {
    "no such file": (["missing.pcap"], "missing.pcap: there is no such file"),
    "no capture": (["text"], "text: is neither pcap nor pcapng"),
    "empty file": (["empty"], "empty: is empty"),
    "bad address": (
        ["good", "--vip", "192.0.2"],
        "--vip: '192.0.2': not an address; write a plain IPv4 or IPv6 address",
    ),
    "no unicast address": (["good", "--vip", "224.0.0.1"], "--vip: '224.0.0.1': not a unicast address"),
    "nearly a flag": (["good", "--vipp", "192.0.2.1"], "--vipp: unknown flag; did you mean --vip?"),
    "bad period": (["good", "--period", "3"], "--period: bad value '3'"),
    "bad format": (["good", "--format", "xml"], "invalid choice: 'xml'"),
    "no intent file": (["good", "--intent", "missing.yaml"], "missing.yaml"),
    "bad intent file": (["good", "--intent", "intent"], "intent:3"),
    "unknown flag": (["good", "--vips", "192.0.2.1"], "--vips: unknown flag"),
    "nothing": ([], "the following arguments are required: CAPTURE"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD_INPUT.values(), ids=BAD_INPUT)
def test_bad_input_is_a_clear_line_and_status_64(tmp_path, monkeypatch, capture, capsys, arguments, message) -> None:
    monkeypatch.chdir(tmp_path)
    capture(announce(A, 0, 3)).rename("good")
    Path("text").write_text("this is no capture")
    Path("empty").touch()
    Path("intent").write_text("vips:\n  - address: 192.0.2.100\n    mode: statik\n")
    assert main(["replay", *arguments]) == 64
    out, err = capsys.readouterr()
    assert message in err
    assert out == ""
    assert "Traceback" not in err


def test_late_frames_count_as_of_the_time_reached(tmp_path, replay) -> None:
    """A frame older than one before it is taken at that one's time: nothing goes back."""
    packets = [*announce(A, 0, 30), at(3, craft.announcement(VIP, A)), *announce(A, 30, 33)]
    path = tmp_path / "disordered.pcap"
    craft.write_capture(path, packets)
    document = replay(path)
    assert (only(document)["state"], sum(only(document)["announcements"].values())) == ("held", 12)


def test_a_cooked_capture(capture, replay) -> None:
    """`tcpdump -i any` replaces the Ethernet header; the frames are judged all the same."""
    cooked = [
        (moment, struct.pack(">HHH8sH", 1, 1, 6, frame[6:12], 0x0806) + frame[14:])
        for moment, frame in announce(A, 0, 30)
    ]
    assert only(replay(capture(cooked, link_type=113)))["state"] == "held"


def pcapng(path: Path, *blocks: tuple[int, bytes]) -> Path:
    """A file of little-endian blocks (type, body) behind a section header."""
    header = (0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    path.write_bytes(
        b"".join(
            struct.pack("<II", kind, 12 + len(body)) + body + struct.pack("<I", 12 + len(body))
            for kind, body in (header, *blocks)
        )
    )
    return path


def enhanced(ticks: int, *, interface: int = 0) -> tuple[int, bytes]:
    frame = craft.announcement(VIP, A)
    head = struct.pack("<IIIII", interface, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame))
    return 6, head + frame + bytes(-len(frame) % 4)


ETHERNET = (1, struct.pack("<HHI", 1, 0, 0))


def test_impossible_times_are_told_and_stop_nothing(tmp_path, capsys) -> None:
    """A damaged clock writes the year 586,524: the packet counts at the time before it."""
    times = (1_700_000_000_000_000, 2**64 - 1, 1_700_000_003_000_000)
    path = pcapng(tmp_path / "odd.pcapng", ETHERNET, *(enhanced(ticks) for ticks in times))
    assert main(["replay", str(path), "--format", "json"]) == 0
    out, err = capsys.readouterr()
    assert sum(json.loads(out)["vips"][0]["announcements"].values()) == 3
    assert "1 packets have an impossible time" in err


def test_pcapng_time_offset_and_unknown_interface(tmp_path, capsys) -> None:
    """if_tsoffset is added to every time; a packet of an interface that the file never described ends the reading."""
    offset = struct.pack("<HHqHH", 14, 8, 1_700_000_000, 0, 0)
    packets = (enhanced(5_000_000), enhanced(6_000_000, interface=7), enhanced(7_000_000))
    path = pcapng(tmp_path / "offset.pcapng", (1, ETHERNET[1] + offset), *packets)
    assert main(["replay", str(path), "--format", "json"]) == 0
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert document["events"][0]["time"] == "2023-11-14T22:13:25.000000Z"
    assert sum(document["vips"][0]["announcements"].values()) == 1
    assert "damaged after packet 1" in err


@pytest.mark.parametrize("redirect", [">&-", "> /dev/full"])
def test_output_that_cannot_be_written_is_one_line_and_status_1(capture, redirect) -> None:
    command = f"{sys.executable} -m exporter replay {capture(announce(A, 0, 9))} {redirect}"
    result = subprocess.run(command, shell=True, capture_output=True, text=True, check=False, timeout=30)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert result.stderr.startswith("vip-exporter: ")


class TestHtml:
    def test_the_report_goes_to_standard_output_whole(self, capture, capsys, tmp_path) -> None:
        path = capture(announce(A, 0, 30) + announce(B, 31, 60))
        intent = tmp_path / "what was said.yaml"
        intent.write_text(f"vips:\n  - {{address: {VIP}}}\n", encoding="utf-8")
        arguments = ["--intent", str(intent), "--vip", str(VIP), "--period", "3s"]
        assert main(["replay", str(path), "--format", "html", *arguments]) == 0
        out = capsys.readouterr().out
        assert out.startswith("<!doctype html>")
        assert out.endswith("</html>\n")
        assert "192.0.2.100 moved once" in out
        assert "what was said.yaml" in out
        assert str(tmp_path) not in out

    def test_from_a_pipe_into_a_terminal_without_utf8(self, capture) -> None:
        """The document says that it is UTF-8, so it is, whatever the terminal has."""
        command = f"cat {capture(announce(A, 0, 9))} | {sys.executable} -m exporter replay - --format html"
        environment = os.environ | {"PYTHONIOENCODING": "latin-1"}
        done = subprocess.run(command, shell=True, capture_output=True, check=True, env=environment, timeout=30)
        assert "standard input" in done.stdout.decode("utf-8")
        assert "<title>192.0.2.100 did not move – standard input</title>" in done.stdout.decode("utf-8")

    def test_a_file_name_that_is_no_text_spoils_nothing(self, capture) -> None:
        path = capture(announce(A, 0, 9))
        odd = os.fsencode(path.parent) + b"/<b>\xff\n.pcap"
        os.rename(path, odd)
        command = [sys.executable, "-m", "exporter", "replay", odd, "--format", "html"]
        done = subprocess.run(command, capture_output=True, check=True, timeout=30)
        assert "&lt;b&gt;\\udcff\\n.pcap" in done.stdout.decode("utf-8")

    def test_a_damaged_file_is_reported_as_far_as_it_goes(self, capture, capsys) -> None:
        path = capture(announce(A, 0, 30))
        path.write_bytes(path.read_bytes()[:-5])
        assert main(["replay", str(path), "--format", "html"]) == 0
        out, err = capsys.readouterr()
        warning = err.removeprefix("vip-exporter: warning: ").strip()
        assert warning
        assert escape(warning) in out
