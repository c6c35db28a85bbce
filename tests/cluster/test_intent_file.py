"""The intent file: what it means, and that everything wrong in it is reported with its line."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.cluster.intent_file import LARGEST, IntentFile, IntentFileError, Plan, read_intent_file
from exporter.vip.model import (
    SECOND,
    IntentFreshness,
    LeaseSeen,
    Mode,
    Node,
    NodesSeen,
    ServiceIntent,
    ServiceRef,
    ServiceSeen,
    parse_mac,
)

VIP = ip_address("10.0.0.5")
START = 1_700_000_000 * SECOND


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "intent.yaml"


def read(path: Path, text: str) -> IntentFile:
    path.write_text(text)
    return read_intent_file(path)


def plan(path: Path, text: str, start: int = START) -> Plan:
    return read(path, text).plan(start=start)


def hosts(plan: Plan) -> list[tuple[float, str]]:
    """When (in seconds after the start) which vipHost is said."""
    seen = [one for one in (*plan.initial, *plan.later) if isinstance(one, ServiceSeen)]
    return [((one.at - START) / SECOND, one.intent.vip_host) for one in seen]


def test_everything_at_once(path: Path) -> None:
    text = """
vips:
  - address: 10.0.0.5
    mode: dhcp
    period: 500ms
    service: kube-system/ingress-expose
    vlan: 100
    vipHost: node1
    hwaddr: 52:54:00:12:34:56
    lease_holder: node1
    timeline:
      - {at: 10, vipHost: node2, lease_holder: node2, hwaddr: 52-54-00-00-00-01}
      - {at: 20.5, addresses: [10.0.0.6, "fd00:0::6"]}
  - address: fd00:0:0::7
nodes:
  - {name: node1, addresses: [10.0.0.1, fd00::1], macs: ["52:54:00:00:00:01"]}
  - {name: "no", addresses: 10.0.0.2, candidate: false}
"""
    got = plan(path, text)
    ref = ServiceRef("kube-system", "ingress-expose")

    def intent(addresses: str, host: str, mac: str) -> ServiceIntent:
        return ServiceIntent(
            service=ref,
            addresses=tuple(map(ip_address, addresses.split())),
            mode=Mode.DHCP,
            vip_host=host,
            hwaddr=parse_mac(mac),
            period=SECOND // 2,
            vlan=100,
        )

    assert got.initial == (
        IntentFreshness(START, True),
        NodesSeen(
            START,
            (
                Node("node1", (ip_address("10.0.0.1"), ip_address("fd00::1")), (parse_mac("52:54:00:00:00:01"),)),
                Node("no", (ip_address("10.0.0.2"),), (), candidate=False),
            ),
        ),
        ServiceSeen(START, intent("10.0.0.5", "node1", "52:54:00:12:34:56")),
        LeaseSeen(START, VIP, "node1"),
        ServiceSeen(START, ServiceIntent(ServiceRef("", "fd00::7"), (ip_address("fd00::7"),))),
    )
    ten, twenty = START + 10 * SECOND, START + 20 * SECOND + SECOND // 2
    assert got.later == (
        ServiceSeen(ten, intent("10.0.0.5", "node2", "52:54:00:00:00:01")),
        LeaseSeen(ten, VIP, "node2"),
        ServiceSeen(twenty, intent("10.0.0.6 fd00::6", "node2", "52:54:00:00:00:01")),
        LeaseSeen(twenty, ip_address("10.0.0.6"), "node2"),
        LeaseSeen(twenty, ip_address("fd00::6"), "node2"),
    )


@pytest.mark.parametrize(
    ("at", "seconds"),
    [
        ("5", 5),
        ("0.25", 0.25),
        ("99999999", 99_999_999),
        ("1700000005", 5),
        ("1700000005.5", 5.5),
        ("2023-11-14T22:13:25Z", 5),
        ("2023-11-14 22:13:25", 5),
        ('"2023-11-14T22:13:25"', 5),
        ("2023-11-14T23:13:25+01:00", 5),
        ("2023-11-14t22:13:25.5z", 5.5),
    ],
)
def test_time_is_since_the_start_or_on_the_wall_clock(path: Path, at: str, seconds: float) -> None:
    text = f"vips:\n- address: 10.0.0.5\n  timeline:\n  - at: {at}\n    vipHost: node2\n"
    assert hosts(plan(path, text)) == [(0, ""), (seconds, "node2")]


def test_wall_times_are_put_on_the_monotonic_line(path: Path) -> None:
    text = "vips: [{address: 10.0.0.5, timeline: [{at: 1700000005, vipHost: b}, {at: 7, vipHost: c}]}]"
    got = read(path, text).plan(start=1000, from_wall=lambda wall: wall - START + 1000)
    assert [one.at for one in got.later] == [1000 + 5 * SECOND, 1000 + 7 * SECOND]


def test_what_happened_up_to_the_start_is_no_change(path: Path) -> None:
    text = """
vips:
- address: 10.0.0.5
  vipHost: a
  timeline:
  - {at: 1700000003, vipHost: e}
  - {at: 0, vipHost: d}
  - {at: 1699999999, vipHost: c}
  - {at: 1600000000, vipHost: b}
"""
    assert hosts(plan(path, text)) == [(0, "d"), (3, "e")]


def test_what_happened_up_to_a_reload_is_no_change_either(path: Path) -> None:
    """Times since the start still count from the start; what has passed is not said again step by step."""
    text = """
vips:
- address: 10.0.0.5
  vipHost: a
  lease_holder: a
  timeline:
  - {at: 5, vipHost: b, lease_holder: b}
  - {at: 60, vipHost: c}
"""
    got = read(path, text).plan(start=START, now=START + 30 * SECOND)
    assert hosts(got) == [(30, "b"), (60, "c")]
    assert [one.holder for one in (*got.initial, *got.later) if isinstance(one, LeaseSeen)] == ["b"]


def test_key_left_out_is_unchanged_and_null_clears(path: Path) -> None:
    text = """
vips:
- {address: 10.0.0.5, mode: dhcp, vipHost: a, hwaddr: "52:54:00:00:00:01", lease_holder: a, timeline: [
    {at: 1, hwaddr: null}, {at: 2, vipHost: ~}, {at: 3, lease_holder: }, {at: 4, addresses: null}, {at: 5}]}
"""
    later = plan(path, text).later
    assert [(one.at - START) // SECOND for one in later] == [1, 2, 3, 4]
    assert isinstance(later[0], ServiceSeen)
    assert (later[0].intent.vip_host, later[0].intent.hwaddr) == ("a", None)
    assert isinstance(later[1], ServiceSeen)
    assert later[1].intent.vip_host == ""
    assert later[2] == LeaseSeen(START + 3 * SECOND, VIP, "")
    assert isinstance(later[3], ServiceSeen)
    assert later[3].intent.addresses == ()


def test_hwaddr_means_nothing_in_static_mode(path: Path) -> None:
    text = "vips: [{address: 10.0.0.5, mode: static, hwaddr: '52:54:00:00:00:01'}]"
    (seen,) = [one for one in plan(path, text).initial if isinstance(one, ServiceSeen)]
    assert seen.intent.hwaddr is None


def test_nodes_alone_are_enough_and_absent_nodes_say_nothing(path: Path) -> None:
    assert plan(path, "nodes: [{name: a}]").initial[1:] == (NodesSeen(START, (Node("a"),)),)
    assert plan(path, "vips:").initial == (IntentFreshness(START, True),)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "intent.yaml:1: is empty"),
        ("{}", "intent.yaml:1: says nothing"),
        ("vips: [", "intent.yaml:1: not valid YAML"),
        ("vips:\n- address: a: b", "intent.yaml:2: not valid YAML"),
        ("a: &x 1\nvips: *x", "intent.yaml:2: not valid YAML: aliases"),
        ("--- {}\n--- {}", "intent.yaml:2: not valid YAML"),
        ("[" * 5000, "intent.yaml:1: not valid YAML: nested too deeply"),
        ("a: \x01", "intent.yaml:1: not valid YAML"),
        ("- 1", "intent.yaml:1: must be a mapping"),
        ("vips: 5", "intent.yaml:1: vips: must be a list"),
        ("vips:\n- 5", "intent.yaml:2: vips[0]: must be a mapping"),
        ("vip: []\nvips: []", "intent.yaml:1: vip: unknown key; known are vips, nodes"),
        ("vips: []\nnodes: []\nvips: []", "intent.yaml:3: vips: stands here twice"),
        ("vips:\n- mode: dhcp", "intent.yaml:2: vips[0]: has no address"),
        ("vips:\n- address:", "intent.yaml:2: vips[0]: has no address"),
        ("vips:\n- address: 10.0.0.5/24", "intent.yaml:2: vips[0].address: '10.0.0.5/24': not an address"),
        ("vips:\n- address: 0.0.0.0", "intent.yaml:2: vips[0].address: '0.0.0.0': not a unicast"),
        ("vips:\n- address: fe80::1%eth0", "intent.yaml:2: vips[0].address: 'fe80::1%eth0': not an address"),
        ("vips:\n- address: {a: 1}", "intent.yaml:2: vips[0].address: must be a list"),
        ("vips:\n- address: 10.0.0.5\n  addresses: [10.0.0.6]", "intent.yaml:2: vips[0].address: stands beside"),
        ("vips:\n- address: 10.0.0.5\n- address: 10.0.0.5", "intent.yaml:3: vips[1].address: '10.0.0.5': stands in"),
        ("vips:\n- address: 10.0.0.5\n  mode: DHCP", "intent.yaml:3: vips[0].mode: 'DHCP': no such mode"),
        ("vips:\n- address: 10.0.0.5\n  mode: [x]", "intent.yaml:3: vips[0].mode: must be a single value"),
        ("vips:\n- address: 10.0.0.5\n  period: -1", "intent.yaml:3: vips[0].period: '-1': not a period"),
        ("vips:\n- address: 10.0.0.5\n  period: 3h", "intent.yaml:3: vips[0].period: '3h': not a period"),
        ("vips:\n- address: 10.0.0.5\n  period: 2h0m", "intent.yaml:3: vips[0].period"),
        ("vips:\n- address: 10.0.0.5\n  vlan: 4095", "intent.yaml:3: vips[0].vlan: '4095': not a VLAN id"),
        ("vips:\n- address: 10.0.0.5\n  service: vip", "intent.yaml:3: vips[0].service: 'vip': not a Service"),
        ("vips:\n- address: 10.0.0.5\n  hwaddr: 52:54", "intent.yaml:3: vips[0].hwaddr: '52:54': not a MAC"),
        ("vips:\n- address: 10.0.0.5\n  hwaddr: +1:+1:+1:+1:+1:+1", "intent.yaml:3: vips[0].hwaddr"),
        ("vips:\n- address: 10.0.0.5\n  vipHost: a b", "intent.yaml:3: vips[0].vipHost: 'a b': not a node name"),
        ("vips:\n- address: 10.0.0.5\n  lease_holder: [a]", "intent.yaml:3: vips[0].lease_holder: must be a single"),
        ("vips:\n- address: 10.0.0.5\n  timeline: {at: 1}", "intent.yaml:3: vips[0].timeline: must be a list"),
        ("vips:\n- address: 10.0.0.5\n  timeline:\n  - vipHost: a", "intent.yaml:4: vips[0].timeline[0]: has no time"),
        ("vips:\n- address: 10.0.0.5\n  timeline:\n  - at: -1", "intent.yaml:4: vips[0].timeline[0].at: '-1'"),
        ("vips:\n- address: 10.0.0.5\n  timeline:\n  - at: .nan", "intent.yaml:4: vips[0].timeline[0].at: '.nan'"),
        ("vips:\n- address: 10.0.0.5\n  timeline:\n  - at: 1e999999999", "intent.yaml:4: vips[0].timeline[0].at"),
        ("vips:\n- address: 10.0.0.5\n  timeline:\n  - at: 1700000000000", "intent.yaml:4: vips[0].timeline[0].at"),
        ("vips:\n- address: 10.0.0.5\n  timeline:\n  - at: 2024-02-31", "intent.yaml:4: vips[0].timeline[0].at"),
        ("vips:\n- address: 10.0.0.5\n  timeline:\n  - {at: 1, mode: x}", "intent.yaml:4: vips[0].timeline[0].mode"),
        ("nodes:\n- macs: []", "intent.yaml:2: nodes[0]: has no name"),
        ("nodes:\n- name: a\n- name: a", "intent.yaml:3: nodes[1].name: 'a': stands in the file already"),
        (
            "nodes:\n- {name: a, macs: ['52:54:00:00:00:01']}\n- {name: b, macs: ['52:54:00:00:00:01']}",
            "intent.yaml:3: nodes[1].macs[0]: '52:54:00:00:00:01': stands in",
        ),
        ("nodes:\n- name: a\n  candidate: maybe", "intent.yaml:3: nodes[0].candidate: 'maybe': write true or false"),
        ("nodes:\n- name: a\n  ? [x]\n  : 1", "intent.yaml:3: nodes[0].(not a word): unknown key"),
        ('nodes:\n- "a\\nb\\x1b": 1', r"intent.yaml:2: nodes[0].a\nb\x1b: unknown key"),
    ],
)
def test_complaint_names_file_line_key_and_remedy(path: Path, text: str, complaint: str) -> None:
    with pytest.raises(IntentFileError) as raised:
        read(path, text)
    assert complaint in str(raised.value)
    assert str(raised.value).startswith(str(path))


def test_all_complaints_come_at_once_in_the_files_order(path: Path) -> None:
    with pytest.raises(IntentFileError) as raised:
        read(path, "nodes: 5\nvips:\n- address: x\n  mode: y\n  vlan: z\n")
    assert [line.split(": ")[0] for line in str(raised.value).splitlines()] == [f"{path}:{n}" for n in (1, 3, 4, 5)]


def test_complaints_are_bounded(path: Path) -> None:
    with pytest.raises(IntentFileError) as raised:
        read(path, "vips: [" + "x," * 500 + "]")
    assert len(str(raised.value).splitlines()) == 21


def test_missing_file_directory_and_huge_file(path: Path, tmp_path: Path) -> None:
    for wrong in (path, tmp_path):
        with pytest.raises(IntentFileError, match="cannot be read"):
            read_intent_file(wrong)
    with pytest.raises(IntentFileError, match="larger than"):
        read(path, "#" * (LARGEST + 1))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200) | st.text(alphabet="vipsnode:[]{}-&*!|>'\"#,? \n0.x", max_size=80).map(str.encode))
def test_any_bytes_are_read_or_refused(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    try:
        read_intent_file(path).plan(start=START)
    except IntentFileError as error:
        assert str(error)
