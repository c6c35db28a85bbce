"""What a Service says: a row for each rule of precedence, and one for each kind of garbage."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.cluster.fields import LONGEST_HOST, MOST_ADDRESSES, MOST_PROBLEMS, Key, Problem
from exporter.cluster.intent import read_service
from exporter.vip.model import Mode, ServiceIntent, ServiceRef, parse_mac

REF = ServiceRef("kube-system", "ingress-expose")
HWADDR = "52:54:00:12:34:56"


def obj(
    annotations: Any = None, *, status: Any = None, spec_ip: Any = None, kind: Any = "LoadBalancer"
) -> dict[str, Any]:
    """A Service; annotation keys without their prefix, status as a list of addresses."""
    if isinstance(annotations, dict):
        annotations = {f"kube-vip.io/{key}": value for key, value in annotations.items()}
    if isinstance(status, list):
        status = {"loadBalancer": {"ingress": [{"ip": ip} for ip in status]}}
    return {
        "metadata": {"annotations": annotations},
        "spec": {"type": kind, "loadBalancerIP": spec_ip},
        "status": status,
    }


def read(service: dict[str, Any]) -> tuple[ServiceIntent, tuple[Problem, ...]]:
    said, problems = read_service(Key("kube-system", "ingress-expose"), service)
    return said.intent, problems


S, D, U = Mode.STATIC, Mode.DHCP, Mode.UNKNOWN
DHCP = {"loadbalancerIPs": "0.0.0.0"}
LEASED = {**DHCP, "requestedIP": "10.0.0.7", "vipHost": "node1"}


@pytest.mark.parametrize(
    ("service", "mode", "addresses"),
    [
        pytest.param(obj(), U, [], id="nothing anywhere"),
        pytest.param(obj({"loadbalancerIPs": "10.0.0.5"}), S, ["10.0.0.5"], id="annotation"),
        pytest.param(
            obj({"loadbalancerIPs": "10.0.0.5"}, status=["10.0.0.6"]), S, ["10.0.0.5"], id="before the status"
        ),
        pytest.param(
            obj({"loadbalancerIPs": "10.0.0.5"}, spec_ip="10.0.0.7", status=["10.0.0.6"]),
            S,
            ["10.0.0.5"],
            id="before all",
        ),
        pytest.param(obj(status=["10.0.0.6"], spec_ip="10.0.0.7"), S, ["10.0.0.6"], id="status before spec"),
        pytest.param(obj(status=["10.0.0.6"]), S, ["10.0.0.6"], id="status alone"),
        pytest.param(obj(spec_ip="10.0.0.7"), S, ["10.0.0.7"], id="spec alone"),
        pytest.param(
            obj({"loadbalancerIPs": " 10.0.0.5 , fd00:0:0::5,,10.0.0.5"}), S, ["10.0.0.5", "fd00::5"], id="several"
        ),
        pytest.param(obj({"loadbalancerIPs": "::ffff:10.0.0.5"}), S, ["10.0.0.5"], id="IPv4 mapped into IPv6"),
        pytest.param(obj({"loadbalancerIPs": ""}, status=["10.0.0.6"]), S, ["10.0.0.6"], id="empty annotation"),
        pytest.param(
            obj({"loadbalancerIPs": "nonsense"}, status=["10.0.0.6"]), S, ["10.0.0.6"], id="unusable annotation"
        ),
        pytest.param(
            obj({"loadbalancerIPs": "10.0.0.5", "requestedIP": "10.0.0.9", "hwaddr": HWADDR}),
            S,
            ["10.0.0.5"],
            id="left over from DHCP",
        ),
        pytest.param(obj(DHCP, status=["10.0.0.6"]), D, ["10.0.0.6"], id="DHCP"),
        pytest.param(obj({"loadbalancerIPs": "::"}, status=["fd00::6"]), D, ["fd00::6"], id="DHCPv6"),
        pytest.param(
            obj({"loadbalancerIPs": "0.0.0.0,::"}, status=["10.0.0.6", "fd00::6"]),
            D,
            ["10.0.0.6", "fd00::6"],
            id="dual",
        ),
        pytest.param(obj(spec_ip="0.0.0.0", status=["10.0.0.6"]), D, ["10.0.0.6"], id="DHCP by spec"),
        pytest.param(obj(DHCP, spec_ip="10.0.0.7"), D, [], id="DHCP never takes spec"),
        pytest.param(obj(DHCP), D, [], id="DHCP before the lease"),
        pytest.param(obj({**DHCP, "requestedIP": "10.0.0.7"}), D, [], id="a wish is not in force"),
        pytest.param(obj(LEASED), D, ["10.0.0.7"], id="lease had, status not written"),
        pytest.param(obj(LEASED, status=["10.0.0.6"]), D, ["10.0.0.6"], id="status before requestedIP"),
        pytest.param(
            obj({**LEASED, "loadbalancerIPs": "0.0.0.0,::", "requestedIP": "10.0.0.7,fd00::7"}),
            D,
            ["10.0.0.7", "fd00::7"],
            id="dual requestedIP",
        ),
        pytest.param(obj({"loadbalancerIPs": "10.0.0.5", "ignore": "true"}), U, [], id="ignored"),
        pytest.param(obj({"loadbalancerIPs": "10.0.0.5", "ignore": "false"}), S, ["10.0.0.5"], id="not ignored"),
    ],
)
def test_precedence(service: dict[str, Any], mode: Mode, addresses: list[str]) -> None:
    intent, _ = read(service)
    assert (intent.mode, intent.addresses) == (mode, tuple(map(ip_address, addresses)))


@pytest.mark.parametrize(
    ("kind", "expected"), [("LoadBalancer", True), ("ClusterIP", False), (None, False), (7, False)]
)
def test_type(kind: object, expected: bool) -> None:
    intent, _ = read(obj({"loadbalancerIPs": "10.0.0.5"}, kind=kind))
    assert intent.load_balancer is expected
    assert intent.addresses == (ip_address("10.0.0.5"),)


def test_hwaddr_counts_in_dhcp_mode_only() -> None:
    assert read(obj({**DHCP, "hwaddr": HWADDR.upper()}))[0].hwaddr == parse_mac(HWADDR)
    intent, problems = read(obj({"loadbalancerIPs": "10.0.0.5", "hwaddr": "left over"}))
    assert intent.hwaddr is None
    assert problems == ()


def test_vip_host_is_kept_as_written_but_for_space_around_it() -> None:
    assert read(obj({"vipHost": " Node1.Example "}))[0].vip_host == "Node1.Example"


def test_drifted_lease_is_reported() -> None:
    _, problems = read(obj(LEASED, status=["10.0.0.6"]))
    assert [(one.where, one.value) for one in problems] == [("kube-vip.io/requestedIP", "10.0.0.7")]
    assert read(obj(LEASED, status=["10.0.0.7"]))[1] == ()


@pytest.mark.parametrize(
    ("service", "where"),
    [
        pytest.param({"metadata": 5}, "metadata", id="metadata"),
        pytest.param({"metadata": {"annotations": []}, "spec": 5}, "metadata.annotations", id="annotations"),
        pytest.param({"spec": "x"}, "spec", id="spec"),
        pytest.param(obj(kind=["LoadBalancer"]), "spec.type", id="type"),
        pytest.param(obj(spec_ip=5), "spec.loadBalancerIP", id="spec ip type"),
        pytest.param(obj(spec_ip="10.0.0.999"), "spec.loadBalancerIP", id="spec ip"),
        pytest.param(obj(status=5), "status", id="status"),
        pytest.param(obj(status={"loadBalancer": "x"}), "status.loadBalancer", id="loadBalancer"),
        pytest.param(obj(status={"loadBalancer": {"ingress": {}}}), "status.loadBalancer.ingress", id="ingress"),
        pytest.param(
            obj(status={"loadBalancer": {"ingress": [3]}}), "status.loadBalancer.ingress[]", id="ingress item"
        ),
        pytest.param(obj(status=[7]), "status.loadBalancer.ingress[].ip", id="ingress ip type"),
        pytest.param(obj(status=["fe80::1%eth0"]), "status.loadBalancer.ingress[].ip", id="zone id"),
        pytest.param(obj({"loadbalancerIPs": ["10.0.0.5"]}), "kube-vip.io/loadbalancerIPs", id="list for a string"),
        pytest.param(obj({"loadbalancerIPs": "10.0.0.5/24"}), "kube-vip.io/loadbalancerIPs", id="prefix length"),
        pytest.param(obj({"loadbalancerIPs": "224.0.0.1"}), "kube-vip.io/loadbalancerIPs", id="multicast"),
        pytest.param(obj({"loadbalancerIPs": "127.0.0.1"}), "kube-vip.io/loadbalancerIPs", id="loopback"),
        pytest.param(obj({"loadbalancerIPs": "010.0.0.5"}), "kube-vip.io/loadbalancerIPs", id="leading zero"),
        pytest.param(obj({"loadbalancerIPs": "1" * 300_000}), "kube-vip.io/loadbalancerIPs", id="huge"),
        pytest.param(obj({"loadbalancerIPs": "10.0.0.5\x1b[2J"}), "kube-vip.io/loadbalancerIPs", id="control"),
        pytest.param(obj({"loadbalancerIPs": "0.0.0.0,10.0.0.5"}), "kube-vip.io/loadbalancerIPs", id="DHCP and static"),
        pytest.param(obj({**DHCP, "hwaddr": "52:54:00"}), "kube-vip.io/hwaddr", id="short MAC"),
        pytest.param(obj({**DHCP, "hwaddr": "00:00:00:00:00:00"}), "kube-vip.io/hwaddr", id="zero MAC"),
        pytest.param(obj({**DHCP, "hwaddr": "01:00:5e:00:00:01"}), "kube-vip.io/hwaddr", id="multicast MAC"),
        pytest.param(obj({**DHCP, "hwaddr": HWADDR * 90_000}), "kube-vip.io/hwaddr", id="huge MAC"),
        pytest.param(obj({"vipHost": "node\n1"}), "kube-vip.io/vipHost", id="line feed in vipHost"),
        pytest.param(obj({"vipHost": "node\ud800"}), "kube-vip.io/vipHost", id="lone surrogate"),
        pytest.param(obj({"vipHost": "n" * 100_000}), "kube-vip.io/vipHost", id="huge vipHost"),
        pytest.param(obj({"vipHost": {"a": 1}}), "kube-vip.io/vipHost", id="vipHost type"),
        pytest.param(obj({"ignore": "maybe"}), "kube-vip.io/ignore", id="ignore"),
    ],
)
def test_garbage_is_a_problem_that_names_its_place(service: dict[str, Any], where: str) -> None:
    intent, problems = read(service)
    assert where in [problem.where for problem in problems]
    for problem in problems:
        assert problem.remedy
        assert problem.value.isprintable()
        assert len(problem.value) < 80
    assert intent.service == REF
    assert len(intent.vip_host) <= LONGEST_HOST
    assert intent.vip_host.isprintable()


def test_good_parts_beside_garbage_are_kept() -> None:
    intent, problems = read(obj({"loadbalancerIPs": "10.0.0.5,rubbish,fd00::5", "vipHost": "node1", "hwaddr": 5}))
    assert intent.addresses == (ip_address("10.0.0.5"), ip_address("fd00::5"))
    assert intent.vip_host == "node1"
    assert [problem.value for problem in problems] == ["rubbish"]


def test_addresses_and_problems_are_bounded() -> None:
    many = ",".join(f"10.0.0.{index}" for index in range(1, 60))
    assert len(read(obj({"loadbalancerIPs": many}))[0].addresses) == MOST_ADDRESSES
    assert len(read(obj({"loadbalancerIPs": ",".join("abc" for _ in range(200))}))[1]) == MOST_PROBLEMS


scalar = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.ip_addresses().map(str)
value = st.recursive(scalar, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10)
annotation = st.sampled_from(["loadbalancerIPs", "requestedIP", "vipHost", "hwaddr", "ignore"])
address_like = st.sampled_from(["0.0.0.0", "::", "10.0.0.5", "fd00::5", "true", HWADDR, ""]) | value
services = value | st.fixed_dictionaries(
    {},
    optional={
        "metadata": value
        | st.fixed_dictionaries(
            {"annotations": value | st.dictionaries(annotation.map("kube-vip.io/".__add__), address_like)}
        ),
        "spec": value | st.fixed_dictionaries({}, optional={"type": value, "loadBalancerIP": address_like}),
        "status": value
        | st.fixed_dictionaries(
            {
                "loadBalancer": value
                | st.fixed_dictionaries({"ingress": value | st.lists(st.fixed_dictionaries({"ip": address_like}))})
            }
        ),
    },
)


@given(services.filter(lambda service: isinstance(service, dict)))
def test_any_json_gives_an_intent(service: dict[str, Any]) -> None:
    intent, problems = read(service)
    assert all(not address.is_unspecified for address in intent.addresses)
    assert len(set(intent.addresses)) == len(intent.addresses) <= MOST_ADDRESSES
    assert len(problems) <= MOST_PROBLEMS
    assert intent.hwaddr is None or intent.mode is Mode.DHCP
    assert read(service) == (intent, problems)
