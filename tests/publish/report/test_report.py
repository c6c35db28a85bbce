"""The report of a capture: what it says of each situation, and that it is one safe, whole and bounded document."""

from __future__ import annotations

import re
from base64 import b64encode
from collections import Counter
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser
from ipaddress import ip_address
from pathlib import Path

import pytest

from exporter.cluster.intent_file import read_intent_file
from exporter.publish.html.render import own, policy, render
from exporter.publish.report import Origin, report
from exporter.publish.report.view import IGNORED, MOST_EVENTS, MOST_MISMATCHES, MOST_SECTIONS, reported
from exporter.replay import replay
from exporter.vip.model import Kind, Mac, parse_mac
from exporter.wire import craft
from exporter.wire.decode import IgnoreReason
from tests.cli.test_replay import START, VIP, VIP6, Packets, announce, at

ONE, TWO, THREE = (parse_mac(f"02:00:00:00:00:1{number}") for number in "123")
STRANGER = parse_mac("de:ad:be:ef:00:66")
NODES = "nodes:\n" + "".join(
    f"  - {{name: node-{number}, macs: ['02:00:00:00:00:1{number}']}}\n" for number in (1, 2, 3)
)
ASKER = parse_mac("02:00:00:00:00:77")


def chatter(second: float) -> tuple[int, bytes]:
    """Somebody asks for something else: time goes on."""
    return at(second, craft.ordinary_request(ip_address("192.0.2.7"), ASKER, ip_address("192.0.2.8")))


@pytest.fixture
def made(tmp_path: Path):
    """What the report shows, and its document."""

    def make(packets: Packets, *, intent: str = NODES, vips=(), name: str = "incident.pcap"):
        path = tmp_path / "capture.pcap"
        craft.write_capture(path, sorted(packets, key=lambda packet: packet[0]))
        (tmp_path / "intent.yaml").write_text(intent, encoding="utf-8")
        found = replay(str(path), vips=vips, intent=read_intent_file(tmp_path / "intent.yaml"), announcers=True)
        origin = Origin(name, "intent.yaml", tuple(vips), "auto")
        return reported(found, origin), report(found, origin)

    return make


VOID = {"meta", "link", "br", "img", "input"}


class Parsed(HTMLParser):
    """A document that is well-formed: what is opened is closed, in order."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(document)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes) -> None:
        assert len({name for name, _ in attributes}) == len(attributes)
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, text) -> None:
        if self.open and self.open[-1] != "style":
            self.texts.append(text)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.texts))


def verdict(seen) -> str:
    (section,) = seen.sections
    return " ".join(section.verdict)


class TestVerdict:
    def test_a_quiet_holder(self, made) -> None:
        seen, _ = made(announce(ONE, 0, 30))
        assert (seen.headline, seen.tone) == ("192.0.2.100 did not move", "calm")
        assert verdict(seen) == (
            "192.0.2.100 was held by node-1 all the time. At the end node-1 (02:00:00:00:00:11) holds it."
        )

    def test_a_clean_move(self, made) -> None:
        seen, _ = made(announce(ONE, 0, 60) + announce(TWO, 61.3, 120))
        assert (seen.headline, seen.tone) == ("192.0.2.100 moved once", "calm")
        assert verdict(seen) == (
            "192.0.2.100 moved from node-1 to node-2 after 4.3 s without an announcement, at 22:14:21.300 UTC. "
            "At the end node-2 (02:00:00:00:00:12) holds it."
        )

    def test_a_split_brain_that_goes_on(self, made) -> None:
        seen, _ = made(announce(ONE, 0, 60) + announce(TWO, 20, 60))
        assert (seen.headline, seen.tone) == ("192.0.2.100 was contested and did not move", "bad")
        assert verdict(seen) == (
            "192.0.2.100 was contested for 29.0 s from 22:13:50.000 UTC: node-2 (02:00:00:00:00:12) "
            "announced it beside node-1. It did not move. "
            "At the end it is still contested, by node-1 (02:00:00:00:00:11) and node-2 (02:00:00:00:00:12)."
        )

    def test_a_split_brain_that_healed_is_still_worth_a_look(self, made) -> None:
        seen, _ = made(announce(ONE, 0, 90) + announce(TWO, 20, 45))
        assert seen.tone == "warn"
        assert "At the end node-1 (02:00:00:00:00:11) holds it." in verdict(seen)

    def test_flapping(self, made) -> None:
        packets = [packet for turn in range(8) for packet in announce((ONE, TWO)[turn % 2], turn * 15, turn * 15 + 12)]
        seen, _ = made(packets)
        assert (seen.headline, seen.tone) == ("192.0.2.100 moved 7 times", "warn")
        assert verdict(seen).startswith(
            "192.0.2.100 moved 7 times: first from node-1 to node-2 at 22:13:35.000 UTC, "
            "last from node-1 to node-2 at 22:15:05.000 UTC. The longest time without an announcement was 6.0 s."
        )

    def test_silence(self, made) -> None:
        seen, _ = made([*announce(ONE, 0, 30), *announce(ONE, 60, 90), chatter(120)])
        assert (seen.headline, seen.tone) == ("192.0.2.100 was silent and did not move", "bad")
        assert verdict(seen) == (
            "192.0.2.100 was silent twice, for 46.0 s in all, first from 22:13:57.000 UTC. It did not move. "
            "At the end nobody announces it."
        )

    def test_a_stray_claim(self, made) -> None:
        seen, _ = made([*announce(ONE, 0, 60), at(20, craft.announcement(VIP, STRANGER))])
        assert "1 claim by de:ad:be:ef:00:66 beside the holder came to nothing." in verdict(seen)

    def test_a_mismatch(self, made) -> None:
        intent = f"vips:\n  - {{address: {VIP}, vipHost: node-2}}\n{NODES}"
        seen, _ = made(announce(ONE, 0, 60), intent=intent)
        assert "The sources contradicted each other (mismatch host), and still do at the end." in verdict(seen)
        (mismatch,) = seen.sections[0].mismatches
        assert (mismatch.check, mismatch.begin.words, mismatch.end) == ("host", "22:13:20.000", None)

    def test_a_vip_that_nobody_announced(self, made) -> None:
        seen, _ = made([chatter(0), chatter(60)], vips=[VIP])
        assert seen.sections[0].verdict == ("Nobody announced 192.0.2.100 in this capture.",)

    def test_nobody_announces_anything(self, made) -> None:
        seen, document = made([chatter(0), chatter(60)])
        assert (seen.headline, seen.tone) == ("Nobody announces an address in this capture", "dim")
        assert "Name an address with --vip" in Parsed(document).text

    def test_an_empty_capture(self, made) -> None:
        seen, document = made([])
        assert (seen.headline, seen.sections) == ("The capture has no packets", ())
        assert "1970" not in document

    def test_several_vips_and_those_in_trouble_first(self, made) -> None:
        packets = announce(ONE, 0, 60, vip=VIP6, kinds=(Kind.NA,)) + announce(TWO, 20, 60, vip=VIP6, kinds=(Kind.NA,))
        seen, document = made(announce(ONE, 0, 60) + packets)
        assert seen.headline == "2 VIPs: 1 contested"
        assert [one.address for one in seen.briefs] == [str(VIP6), str(VIP)]
        assert ("a", {"href": "#vip-2001-db8--100"}) in Parsed(document).tags

    def test_days_are_named_where_there_are_several(self, made) -> None:
        seen, _ = made([*announce(ONE, 0, 30), *announce(ONE, 7200, 7230)])
        found = [event.when.words for event in seen.sections[0].first_events]
        assert (found[0], found[-1]) == ("2023-11-14 22:13:20.000", "2023-11-15 00:13:20.000")

    def test_a_move_stands_where_it_happened_and_says_how_much_later_it_was_decided(self, made) -> None:
        """A stranger asks for the address between a move's first frame and its decision."""
        probe = at(62, craft.probe(VIP, STRANGER))
        seen, _ = made([*announce(ONE, 0, 60), *announce(TWO, 61, 90), probe])
        events = seen.sections[0].first_events
        assert [event.words.split()[0] for event in events] == ["heard", "moved", "de:ad:be:ef:00:66"]
        assert events[1].when.after == "+61.000 s"
        assert events[1].words.endswith(", decided 3.0 s later")

    def test_claimants_with_what_they_are(self, made) -> None:
        seen, _ = made(announce(ONE, 0, 60) + announce(STRANGER, 20, 60))
        rows = [(one.lane.mac, one.lane.node, one.lane.whose, one.announcements) for one in seen.sections[0].claimants]
        assert rows == [
            ("02:00:00:00:00:11", "node-1", "a node's", "20"),
            ("de:ad:be:ef:00:66", "", "no node's", "14"),
        ]

    def test_a_vip_that_is_given_up_keeps_its_events(self, made) -> None:
        intent = f"vips:\n  - {{address: {VIP}, timeline: [{{at: 20, addresses: [192.0.2.101]}}]}}\n{NODES}"
        seen, document = made([*announce(ONE, 0, 18), chatter(60)], intent=intent)
        assert [brief.address for brief in seen.briefs] == ["192.0.2.101"]
        address, event = seen.gone[0]
        assert address == str(VIP)
        assert event.words == "heard for the first time: node-1 (02:00:00:00:00:11) announces it"
        assert "Addresses that were given up" in Parsed(document).text


def shown_texts(document: str) -> list[str]:
    """All that a reader is shown or told, piece by piece."""
    parsed = Parsed(document)
    attributes = [value for _, found in parsed.tags for value in found.values() if value]
    return [text.strip().removeprefix('">') for text in [*parsed.texts, *attributes]]


HOSTILE = """<img src=x onerror=alert(1)>"'&{{7*7}}\u202e\udcff"""


class TestDocument:
    @pytest.fixture
    def document(self, made) -> str:
        _, document = made(
            [*announce(ONE, 0, 60), *announce(STRANGER, 20, 60), chatter(61), at(62, b"\0" * 20)], name=HOSTILE
        )
        return document

    def test_it_is_well_formed_and_names_everything_once(self, document) -> None:
        ids = Counter(attributes["id"] for _, attributes in Parsed(document).tags if "id" in attributes)
        assert not [id_ for id_, count in ids.items() if count > 1]

    def test_what_refers_to_an_id_finds_it(self, document) -> None:
        tags = Parsed(document).tags
        ids = {attributes.get("id") for _, attributes in tags}
        wanted = [id_ for _, attributes in tags for id_ in (attributes.get("aria-labelledby") or "").split()]
        wanted += re.findall(r"url\(#([^)]*)\)", document)
        assert wanted
        assert set(wanted) <= ids

    def test_a_hostile_file_name_is_only_text(self, document) -> None:
        parsed = Parsed(document)
        assert "img" not in {tag for tag, _ in parsed.tags}
        assert """<img src=x onerror=alert(1)>"'&{{7*7}}\\u202e\\udcff""" in parsed.text
        document.encode("utf-8")

    def test_no_name_of_a_node_becomes_markup(self, made) -> None:
        """The intent file turns such names away; were one to come through, it would be escaped."""
        seen, _ = made(announce(ONE, 0, 60))
        (section,) = seen.sections
        lane = replace(section.picture.lanes[0], node="<i>x", mac="<i>y", whose="<i>z", odd=True)
        hostile = replace(
            section,
            services=("<i>s",),
            verdict=("<i>v",),
            label='"><i>l',
            picture=replace(section.picture, lanes=(lane,), unlisted=(("<i>u", 0),)),
            claimants=(replace(section.claimants[0], lane=lane),),
            brief=replace(section.brief, holder="<i>h"),
        )
        seen = replace(
            seen,
            headline="<i>e",
            warnings=("<i>w",),
            sections=(hostile,),
            briefs=(hostile.brief, hostile.brief),
            ignored=(("<i>i", "1", "<i>m"),),
        )
        document = render("report.html", seen=seen, style=own(""), policy=policy(style=""))
        assert "<i>" not in document
        assert {f"<i>{letter}" for letter in "xyzsvluhewm"} <= {text[:4] for text in shown_texts(document)}

    def test_the_policy_allows_its_own_style_and_nothing_else(self, document) -> None:
        (style,) = re.findall(r"<style>(.*?)</style>", document, re.DOTALL)
        digest = b64encode(sha256(style.encode()).digest()).decode()
        (policy,) = [
            attributes["content"]
            for tag, attributes in Parsed(document).tags
            if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
        ]
        assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"

    def test_it_needs_nothing_else_and_runs_nothing(self, document) -> None:
        assert "http:" not in document.replace("http-equiv", "")
        assert "https:" not in document
        assert "@import" not in document
        for tag, attributes in Parsed(document).tags:
            assert tag not in {"script", "link", "img", "iframe", "object"}
            assert not [name for name in attributes if name.startswith("on") or name in {"style", "src"}]

    def test_warnings_of_the_file_and_ignored_frames_are_told(self, made, tmp_path) -> None:
        made([*announce(ONE, 0, 30), chatter(40)])
        path = tmp_path / "capture.pcap"
        path.write_bytes(path.read_bytes()[:-5])
        found = replay(str(path), announcers=True)
        text = Parsed(report(found, Origin("cut.pcap", "", (), "0s"))).text
        assert found.warnings[0] in text
        assert "none: nodes are not known by name" in text
        assert "Period0s" in text

    def test_every_reason_for_ignoring_a_frame_has_words(self) -> None:
        assert set(IGNORED) == set(IgnoreReason)


class TestBounds:
    def test_many_vips_are_a_table_and_the_worst_in_full(self, made) -> None:
        vips = [ip_address(f"10.0.{number // 200}.{number % 200 + 1}") for number in range(300)]
        packets = [packet for vip in vips for packet in announce(ONE, 0, 7, vip=vip)]
        seen, document = made(packets + announce(TWO, 3, 9, vip=vips[-1]))
        assert (len(seen.briefs), len(seen.sections)) == (300, MOST_SECTIONS)
        assert seen.briefs[0].address == str(vips[-1])
        assert "The 50 in which the most happened are shown in full below" in Parsed(document).text

    def test_many_events_are_shown_from_both_ends(self, made) -> None:
        packets = [
            (START + number * 10**8, craft.announcement(VIP, Mac(b"\x02" + number.to_bytes(5, "big"))))
            for number in range(2000)
        ]
        intent = f"vips:\n  - {{address: {VIP}, period: 0s}}\n"
        seen, document = made(packets, intent=intent)
        (section,) = seen.sections
        assert len(section.first_events) + len(section.last_events) <= MOST_EVENTS
        assert len(section.claimants) == 16
        assert len(document) < 400_000

    def test_of_many_mismatches_the_last_are_shown_and_the_rest_counted(self, made) -> None:
        """An annotation that is wrong every other 40 s, for three hours."""
        later = "".join(f"      - {{at: {40 * turn}, vipHost: node-{1 + turn % 2}}}\n" for turn in range(1, 261))
        nodes = "nodes:\n  - {name: node-1, macs: ['" + ONE.hex(":") + "']}\n  - {name: node-2}\n"
        intent = f"vips:\n  - address: {VIP}\n    vipHost: node-1\n    timeline:\n{later}{nodes}"
        seen, document = made(announce(ONE, 0, 10_440), intent=intent)
        (section,) = seen.sections
        assert len(section.mismatches) == MOST_MISMATCHES
        assert int(section.earlier_mismatches) >= 25
        assert f"{section.earlier_mismatches} earlier ones are left out" in Parsed(document).text
