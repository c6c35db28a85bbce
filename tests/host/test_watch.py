"""What is bound on a node, watched on real links with real addresses, while everything that can happens to them."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Sequence

import pytest

from exporter import log
from exporter.host.addresses import Change
from exporter.host.netlink import IncompleteError, RouteSocket
from exporter.host.watch import HostStatus
from exporter.vip.model import SECOND, BoundSeen, HostLost, HostSeen
from tests import netns
from tests.host.conftest import Watch
from tests.host.watching import Node

OWN = "192.0.2.11"
VIP = "192.0.2.50"
VIP6 = "2001:db8::50"


def macvlan(node: Node, name: str, parent: str = netns.DEVICE) -> None:
    node.ip(f"link add link {parent} name {name} type macvlan mode bridge")
    node.ip(f"link set {name} up")


# --- addresses --------------------------------------------------------------------------------------------------------


def test_everything_bound_at_the_start_comes_in_one_batch(node: Node, watch: Watch) -> None:
    """Each address with its interfaces, then the links; a /32 on lo counts, loopback addresses do not."""
    node.ip("link set lo up")
    node.bind(f"{OWN}/24")
    node.bind(f"{VIP}/32")
    node.bind("198.51.100.7/32", "lo")
    watched = watch()
    assert watched.bound == {OWN: ("eth0",), VIP: ("eth0",), "198.51.100.7": ("lo",)}
    (batch,) = watched.batches
    assert [type(each) for each in batch] == [BoundSeen, BoundSeen, BoundSeen, HostSeen]
    assert len({each.at for each in batch}) == 1
    assert list(watched.links) == ["eth0"]
    assert watched.networks() == ["192.0.2.0/24", "192.0.2.50/32"]


def test_a_node_without_an_address_is_told_as_such(watch: Watch) -> None:
    """That nothing is bound is known from the first batch on."""
    (batch,) = watch().batches
    (only,) = batch
    assert isinstance(only, HostSeen)
    assert only.links == ()


def test_vip_comes_and_goes(node: Node, watch: Watch) -> None:
    """Only what changes is told."""
    node.bind(f"{OWN}/24")
    watched = watch()
    node.bind(f"{VIP}/32")
    watched.until_bound({OWN: ("eth0",), VIP: ("eth0",)})
    node.unbind(f"{VIP}/32")
    watched.until_bound({OWN: ("eth0",)})
    told = [(str(each.vip), each.devices) for each in watched.inputs if isinstance(each, BoundSeen)]
    assert told == [(OWN, ("eth0",)), (VIP, ("eth0",)), (VIP, ())]


def test_vip_on_several_interfaces(node: Node, watch: Watch) -> None:
    """They are named in order, and one by one as they lose it: the macvlan of DHCP mode beside its parent."""
    node.bind(f"{VIP}/32")
    watched = watch()
    macvlan(node, "vip-0a1b2c3d")
    node.bind(f"{VIP}/32", "vip-0a1b2c3d")
    watched.until_bound({VIP: ("eth0", "vip-0a1b2c3d")})
    node.unbind(f"{VIP}/32")
    watched.until_bound({VIP: ("vip-0a1b2c3d",)})


def test_address_in_two_networks_of_one_interface(node: Node, watch: Watch) -> None:
    """It stays bound until the last of them is gone."""
    node.bind(f"{VIP}/24")
    watched = watch()
    node.bind(f"{VIP}/32")
    watched.until(lambda: watched.networks() == ["192.0.2.0/24", "192.0.2.50/32"])
    node.unbind(f"{VIP}/24")
    watched.until(lambda: watched.networks() == ["192.0.2.50/32"])
    assert watched.bound == {VIP: ("eth0",)}
    node.unbind(f"{VIP}/32")
    watched.until_bound({})


def test_point_to_point(node: Node, watch: Watch) -> None:
    """The near end is bound, whatever becomes of the far one."""
    node.enable_ipv6()
    watched = watch()
    node.ip("address add 198.51.100.1 peer 203.0.113.1/32 dev eth0")
    node.ip("address add 2001:db8::1 peer 2001:db8::2/64 dev eth0 nodad")
    watched.until_bound({"198.51.100.1": ("eth0",), "2001:db8::1": ("eth0",)})
    watched.until(lambda: watched.networks() == ["198.51.100.1/32", "2001:db8::/64"])
    node.ip("address change 2001:db8::1 peer 2001:db8:1::2/64 dev eth0 nodad")
    node.ip("address delete 2001:db8::1 peer 2001:db8:1::2/64 dev eth0")
    watched.until_bound({"198.51.100.1": ("eth0",)})


def test_addresses_of_ipv6(node: Node, watch: Watch) -> None:
    """Bound once duplicate address detection has passed, or at once without; a deprecated one still is."""
    node.enable_ipv6()
    node.ip(f"address add {VIP6}/128 dev eth0 nodad preferred_lft 0 valid_lft forever")
    watched = watch()
    assert watched.bound == {VIP6: ("eth0",)}
    node.bind("2001:db8::11/64")
    watched.until_bound({VIP6: ("eth0",), "2001:db8::11": ("eth0",)})
    assert watched.networks() == ["2001:db8::/64", "2001:db8::50/128"]
    node.wire.set_link("down")
    watched.until_bound({})


def test_duplicate_of_ipv6_is_not_bound(node: Node, watch: Watch) -> None:
    """An address that somebody else has is on the interface, and yet not bound; nor is it on the next start."""
    node.enable_ipv6()
    other = Node(netns.Wire(node.wire.there, node.wire.here))
    other.enable_ipv6()
    other.ip(f"address add {VIP6}/64 dev eth0 nodad")
    watched = watch()
    node.bind(f"{VIP6}/64")

    def failed() -> bool:
        shown = subprocess.run(["ip", "-n", node.namespace, "address"], capture_output=True, text=True, check=True)
        return "dadfailed" in shown.stdout

    watched.until(failed)
    node.bind("2001:db8::51/64")
    watched.until(lambda: "2001:db8::51" in watched.bound)
    assert watched.bound == watch().bound == {"2001:db8::51": ("eth0",)}


def test_ignored_interfaces(node: Node, watch: Watch) -> None:
    """What matches a pattern does not count, also after it got its name."""
    node.bind(f"{OWN}/24")
    node.ip("link add kube-ipvs0 type bridge")
    node.bind(f"{VIP}/32", "kube-ipvs0")
    node.ip("link add other type bridge")
    node.bind(f"{VIP}/32", "other")
    watched = watch(ignore=["kube-ipvs0", "tmp?*"], listening=["kube-ipvs0"])
    assert watched.bound == {OWN: ("eth0",), VIP: ("other",)}
    assert list(watched.links) == ["eth0", "other"]
    node.ip("link set other name tmp1")
    watched.until_bound({OWN: ("eth0",)})
    assert list(watched.links) == ["eth0"]


# --- links ------------------------------------------------------------------------------------------------------------


def test_links_are_those_with_addresses_and_those_listened_on(node: Node, watch: Watch) -> None:
    """Among the hundreds of veth that a node has, all with one MAC. A link-local address is not enough."""
    node.enable_ipv6()
    for number in range(5):
        node.ip(f"link add cali{number} address ee:ee:ee:ee:ee:ee type veth peer name pod{number}")
        node.ip(f"link set cali{number} up")
    node.bind("169.254.20.10/32", "cali1")
    node.bind(f"{OWN}/24", "cali2")
    node.ip("link set lo up")
    watched = watch(listening=["eth0", "lo", "missing0"])
    assert list(watched.links) == ["cali2", "eth0"]
    assert watched.links["eth0"].networks == ()
    assert watched.links["eth0"].mac == node.mac()
    assert watched.bound == {OWN: ("cali2",), "169.254.20.10": ("cali1",)}


def test_mac_changes(node: Node, watch: Watch) -> None:
    """A new MAC is told; the addresses are not told again."""
    node.bind(f"{OWN}/24")
    watched = watch()
    assert watched.links["eth0"].mac == node.mac()
    node.ip("link set eth0 address 02:00:00:00:00:05")
    watched.until(lambda: watched.links["eth0"].mac == bytes.fromhex("020000000005"))
    assert len([each for each in watched.inputs if isinstance(each, BoundSeen)]) == 1


def test_bridge_takes_the_mac_of_its_ports(node: Node, watch: Watch) -> None:
    """The least of them; and a port that leaves the bridge is neither deleted nor loses its address."""
    node.ip("link add mgmt-br type bridge")
    node.bind(f"{VIP}/32", "mgmt-br")
    node.bind("198.51.100.7/32")
    watched = watch()
    node.ip("link set eth0 address 02:00:00:00:00:05")
    node.ip("link set eth0 master mgmt-br")
    watched.until(lambda: watched.links["mgmt-br"].mac == bytes.fromhex("020000000005"))
    node.ip("link add tap0 address 02:00:00:00:00:04 type veth peer name vm0")
    node.ip("link set tap0 master mgmt-br")
    watched.until(lambda: watched.links["mgmt-br"].mac == bytes.fromhex("020000000004"))
    node.ip("link delete tap0")
    node.ip("link set eth0 nomaster")
    # Without ports its MAC is all zeros, which is none.
    watched.until(lambda: watched.links["mgmt-br"].mac is None)
    assert watched.bound == {VIP: ("mgmt-br",), "198.51.100.7": ("eth0",)}
    assert watched.links["eth0"].mac == bytes.fromhex("020000000005")


def test_interface_without_ethernet_has_no_mac(node: Node, watch: Watch) -> None:
    """A tunnel is a link like others."""
    node.ip("tuntap add name tun0 mode tun")
    node.bind(f"{VIP}/32", "tun0")
    assert watch().links["tun0"].mac is None


def test_up_and_down(node: Node, watch: Watch) -> None:
    """Up is an interface that is switched on and, where it can tell, has a carrier. IPv4 stays bound on any."""
    node.bind(f"{OWN}/24")
    watched = watch()
    watched.until(lambda: watched.links["eth0"].up)
    node.wire.set_link("down", node.wire.there)
    watched.until(lambda: not watched.links["eth0"].up)
    node.wire.set_link("up", node.wire.there)
    watched.until(lambda: watched.links["eth0"].up)
    node.wire.set_link("down")
    watched.until(lambda: not watched.links["eth0"].up)
    assert watched.bound == {OWN: ("eth0",)}


def test_renamed_interface(node: Node, watch: Watch) -> None:
    """Its addresses are on the one with the new name."""
    node.bind(f"{VIP}/32")
    watched = watch()
    node.ip("link set eth0 name mgmt-br.42")
    watched.until_bound({VIP: ("mgmt-br.42",)})
    watched.until(lambda: list(watched.links) == ["mgmt-br.42"])


def test_interface_deleted_and_made_anew(node: Node, watch: Watch) -> None:
    """One of the same name has what it is given, not what the other had."""
    node.bind(f"{OWN}/24")
    macvlan(node, "vip-0a1b2c3d")
    node.bind(f"{VIP}/32", "vip-0a1b2c3d")
    watched = watch()
    first = watched.links["vip-0a1b2c3d"].mac
    node.ip("link delete vip-0a1b2c3d")
    watched.until_bound({OWN: ("eth0",)})
    assert list(watched.links) == ["eth0"]
    macvlan(node, "vip-0a1b2c3d")
    node.bind("192.0.2.51/32", "vip-0a1b2c3d")
    watched.until_bound({OWN: ("eth0",), "192.0.2.51": ("vip-0a1b2c3d",)})
    assert watched.links["vip-0a1b2c3d"].mac not in (None, first)


def test_interface_moved_away_and_back(node: Node, watch: Watch) -> None:
    """In another network namespace it is gone, and it comes back without addresses."""
    node.ip("link add name veth0 type veth peer name veth1")
    node.bind(f"{VIP}/32", "veth0")
    watched = watch()
    node.ip(f"link set veth0 netns {node.wire.there}")
    watched.until_bound({})
    assert watched.links == {}
    netns.ip("-n", node.wire.there, "link", "set", "veth0", "netns", node.namespace)
    node.bind("192.0.2.51/32", "veth0")
    watched.until_bound({"192.0.2.51": ("veth0",)})


def test_name_that_is_no_text(node: Node, watch: Watch) -> None:
    """The kernel allows it; what is told of it can be written anywhere."""
    with netns.inside(node.namespace):
        subprocess.run(["ip", "link", "add", b"br\xff", "type", "bridge"], check=True)
        subprocess.run(["ip", "address", "add", f"{VIP}/32", "dev", b"br\xff"], check=True)
    assert watch().bound == {VIP: ("br\\xff",)}


# --- many at once -----------------------------------------------------------------------------------------------------

MANY = [f"10.0.{number // 250}.{number % 250 + 1}" for number in range(1000)]


def test_a_thousand_addresses_at_once(node: Node, watch: Watch) -> None:
    """All are told, in few batches."""
    node.bind(f"{OWN}/24")
    watched = watch()
    watched.may_deliver.clear()
    node.bind(f"{VIP}/32")
    node.ip_batch([f"address add {address}/32 dev eth0" for address in MANY])
    watched.may_deliver.set()
    watched.until_bound(dict.fromkeys([OWN, VIP, *MANY], ("eth0",)))
    assert len(watched.batches) <= 4
    watched.may_deliver.clear()
    node.unbind(f"{VIP}/32")
    node.ip_batch([f"address delete {address}/32 dev eth0" for address in MANY])
    watched.may_deliver.set()
    watched.until_bound({OWN: ("eth0",)})
    assert len(watched.batches) <= 8


class Counting(RouteSocket):
    """A source with a buffer of no size to speak of, which counts what becomes of it."""

    dumps = 0
    overruns = 0

    def __init__(self) -> None:
        super().__init__(buffer_bytes=1)

    def read(self) -> Sequence[Change]:
        try:
            return super().read()
        except IncompleteError:
            type(self).overruns += 1
            raise

    def dump(self) -> Sequence[Change]:
        type(self).dumps += 1
        return super().dump()


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> type[Counting]:
    monkeypatch.setattr(Counting, "dumps", 0)
    monkeypatch.setattr(Counting, "overruns", 0)
    return Counting


def test_dropped_notices_are_made_up_for(node: Node, watch: Watch, counting: type[Counting]) -> None:
    """Where the kernel had no room for notices, all is asked for anew: nothing is lost, and listening goes on."""
    node.bind(f"{OWN}/24")
    node.bind("10.1.0.1/32")
    watched = watch(open_source=counting)
    watched.may_deliver.clear()
    node.bind(f"{VIP}/32")
    node.ip_batch([f"address add {address}/32 dev eth0" for address in MANY])
    node.unbind("10.1.0.1/32")
    node.unbind(f"{MANY[0]}/32")
    watched.may_deliver.set()
    watched.until_bound(dict.fromkeys([OWN, VIP, *MANY[1:]], ("eth0",)))
    assert counting.overruns > 0
    assert counting.dumps > 1
    assert not any(isinstance(each, HostLost) for each in watched.inputs)
    watched.until(lambda: watched.watcher.status() == HostStatus(up=True, reason=""))
    node.unbind(f"{VIP}/32")
    watched.until_bound(dict.fromkeys([OWN, *MANY[1:]], ("eth0",)))


def test_started_amid_changes(node: Node, watch: Watch) -> None:
    """Whatever changes while the first dump is taken, in the end the truth is known."""
    changes = [f"address {verb} {address}/32 dev eth0" for address in MANY for verb in ("add", "delete", "add")]
    with netns.inside(node.namespace), subprocess.Popen(["ip", "-batch", "-"], stdin=subprocess.PIPE) as changing:
        assert changing.stdin is not None
        changing.stdin.write("\n".join(changes).encode())
        watched = watch(up=False)
        changing.stdin.close()
    watched.until_bound(dict.fromkeys(MANY, ("eth0",)))


# --- trouble ----------------------------------------------------------------------------------------------------------


class Lines:
    """What is logged."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.written: list[tuple[str, str, object]] = []
        for level in ("info", "warning", "error"):
            monkeypatch.setattr(log, level, self._writer(level))

    def _writer(self, level: str) -> object:
        return lambda message, **fields: self.written.append((level, message, fields.get("reason")))


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Lines:
    return Lines(monkeypatch)


CANNOT = "addresses of this node cannot be watched"
AGAIN = "addresses of this node are watched again"


class Opener:
    """Fails as often as told, then opens."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.opened: list[RouteSocket] = []

    def __call__(self) -> RouteSocket:
        if self.failures:
            raise self.failures.pop(0)
        self.opened.append(RouteSocket())
        return self.opened[-1]


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (PermissionError(errno.EPERM, os.strerror(errno.EPERM)), "not permitted to use netlink"),
        (OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT)), "Address family not supported by protocol"),
        (ModuleNotFoundError("No module named 'pyroute2'"), "pyroute2 cannot be loaded"),
        (AttributeError("no AF_NETLINK"), "AttributeError: no AF_NETLINK"),
    ],
)
def test_source_that_cannot_be_had(node: Node, watch: Watch, lines: Lines, failure: Exception, reason: str) -> None:
    """The start does not fail: the status says why, the log says it once, and nothing is claimed."""
    opener = Opener(*[failure] * 1000)
    watched = watch(up=False, open_source=opener)
    watched.until(lambda: len(opener.failures) < 998)
    assert watched.watcher.status() == HostStatus(up=False, reason=reason)
    assert watched.watcher.alive
    assert [(message, why) for _, message, why in lines.written] == [(CANNOT, reason)]
    assert watched.inputs == []
    opener.failures.clear()
    watched.until(lambda: watched.inputs != [])
    assert watched.watcher.status() == HostStatus(up=True, reason="")
    watched.until(lambda: len(lines.written) == 2)
    assert lines.written[1] == ("info", AGAIN, None)


def test_each_kind_of_failure_is_reported_once(watch: Watch, lines: Lines) -> None:
    """However they alternate."""
    one, other = PermissionError(errno.EPERM, "no"), OSError(errno.EMFILE, "too many")
    watched = watch(open_source=Opener(one, other, one))
    watched.until(lambda: len(lines.written) == 3)
    assert [message for _, message, _ in lines.written] == [CANNOT, CANNOT, AGAIN]


class Breaking(RouteSocket):
    """A source whose notices can be made to fail."""

    trouble: list[Exception] = []  # noqa: RUF012 - emptied by whom it strikes

    def read(self) -> Sequence[Change]:
        if self.trouble:
            raise self.trouble.pop()
        return super().read()


def test_broken_source_is_opened_anew(node: Node, watch: Watch, lines: Lines) -> None:
    """That nothing can be told is told; then everything again, the changes of the meantime with it."""
    node.bind(f"{OWN}/24")
    node.bind(f"{VIP}/32")
    watched = watch(open_source=Breaking)
    Breaking.trouble.append(OSError(errno.EBADF, "Bad file descriptor"))
    node.unbind(f"{VIP}/32")
    watched.until(lambda: len(watched.batches) == 3)
    _, lost, again = watched.batches
    assert [type(each) for each in lost] == [HostLost]
    assert [(str(each.vip), each.devices) for each in again if isinstance(each, BoundSeen)] == [
        (OWN, ("eth0",)),
        (VIP, ()),
    ]
    assert isinstance(again[-1], HostSeen)
    watched.until(lambda: len(lines.written) == 2)
    assert lines.written == [("warning", CANNOT, "Bad file descriptor"), ("info", AGAIN, None)]
    node.bind(f"{VIP}/32")
    watched.until_bound({OWN: ("eth0",), VIP: ("eth0",)})


def test_fault_of_the_receiver(node: Node, watch: Watch, lines: Lines) -> None:
    """What could not be delivered is delivered later, with everything else; the thread lives."""
    node.bind(f"{OWN}/24")
    watched = watch()
    watched.fail_with = RuntimeError("a fault")
    node.bind(f"{VIP}/32")
    watched.until(lambda: not watched.watcher.status().up)
    assert watched.watcher.status().reason == "delivery failed: RuntimeError('a fault')"
    node.unbind(f"{OWN}/24")
    watched.fail_with = None
    watched.until_bound({VIP: ("eth0",)})
    assert watched.watcher.status().up
    watched.until(lambda: len(lines.written) == 2)
    assert [level for level, _, _ in lines.written] == ["error", "info"]


class Overtaken(RouteSocket):
    """A source whose first dumps are overtaken by a change."""

    left = 3

    def dump(self) -> Sequence[Change]:
        everything = super().dump()
        if self.left:
            self.left -= 1
            raise IncompleteError
        return everything


def test_overtaken_dump_is_repeated(node: Node, watch: Watch, lines: Lines) -> None:
    """Nothing is told before one is whole, and no failure is reported."""
    node.bind(f"{OWN}/24")
    watched = watch(open_source=Overtaken)
    assert watched.bound == {OWN: ("eth0",)}
    assert len(watched.batches) == 1
    assert lines.written == []


class Deaf(RouteSocket):
    """A source that loses every notice."""

    def read(self) -> Sequence[Change]:
        super().read()
        return []


def test_refresh_finds_what_was_not_noticed(node: Node, watch: Watch) -> None:
    """Everything is asked for again and again; only what differs is told."""
    node.bind(f"{OWN}/24")
    watched = watch(open_source=Deaf, refresh=SECOND // 20)
    node.bind(f"{VIP}/32")
    watched.until_bound({OWN: ("eth0",), VIP: ("eth0",)})
    node.unbind(f"{OWN}/24")
    watched.until_bound({VIP: ("eth0",)})
    assert len([each for each in watched.inputs if isinstance(each, BoundSeen)]) == 3


# --- start and stop ---------------------------------------------------------------------------------------------------


def test_stop_ends_the_thread(watch: Watch) -> None:
    """At once, from its waiting; nothing is delivered then, not even a loss."""
    watched = watch()
    assert watched.watcher.alive
    began = time.monotonic()
    assert watched.watcher.stop(5)
    assert time.monotonic() - began < 2
    assert not watched.watcher.alive
    assert watched.watcher.status() == HostStatus(up=False, reason="the thread has ended")
    assert len(watched.batches) == 1


def test_stop_ends_a_pause(watch: Watch) -> None:
    """Also while the source cannot be had."""
    watched = watch(up=False, open_source=Opener(*[OSError(errno.EPERM, "no")] * 1000))
    watched.until(lambda: watched.watcher.status().reason != "")
    assert watched.watcher.stop(5)


def test_stop_without_start_and_twice(watch: Watch) -> None:
    watched = watch()
    assert watched.watcher.stop(5)
    assert watched.watcher.stop(5)


WITH_ONE_CAPABILITY = """
    import time
    from pathlib import Path
    from exporter.clock import Clock
    from exporter.host.watch import HostWatcher
    print(next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapEff")))
    told = []
    watcher = HostWatcher(clock=Clock(), deliver=told.extend)
    watcher.start()
    while not told:
        time.sleep(0.01)
    print(watcher.status().up, *[(str(each.vip), each.devices) for each in told[:-1]], flush=True)
    seen = len(told)
    while len(told) == seen:
        time.sleep(0.01)
    print(str(told[seen].vip), told[seen].devices)
    watcher.stop(1)
"""


@pytest.mark.parametrize(("kept", "bits"), [("+net_raw", "0000000000002000"), ("-net_raw", "0000000000000000")])
def test_needs_no_capability(node: Node, kept: str, bits: str) -> None:
    """A container with the host's network and at most NET_RAW sees the addresses and their changes."""
    node.bind(f"{OWN}/24")
    limit = f"-all,{kept}"
    program = ["setpriv", f"--bounding-set={limit}", f"--inh-caps={limit}", sys.executable, "-c"]
    with (
        netns.inside(node.namespace),
        subprocess.Popen(
            [*program, textwrap.dedent(WITH_ONE_CAPABILITY)], stdout=subprocess.PIPE, text=True
        ) as watcher,
    ):
        assert watcher.stdout is not None
        try:
            assert watcher.stdout.readline().split() == ["CapEff:", bits]
            assert watcher.stdout.readline() == f"True ('{OWN}', ('eth0',))\n"
            node.bind(f"{VIP}/32")
            assert watcher.stdout.readline() == f"{VIP} ('eth0',)\n"
        finally:
            watcher.terminate()


def test_links_that_go_and_macs_that_change_are_logged(node: Node, watch: Watch, lines: Lines) -> None:
    """Once each, and nothing of what is found at the start."""
    node.bind("192.0.2.11/24")
    watch(listening=["eth0"])
    node.ip("link set eth0 address 02:00:00:00:00:99")
    node.wire.set_link("down")
    eventually = time.monotonic() + 5
    while len(lines.written) < 2 and time.monotonic() < eventually:
        time.sleep(0.01)
    node.wire.set_link("up")
    while len(lines.written) < 3 and time.monotonic() < eventually:
        time.sleep(0.01)
    assert [message for _, message, _ in lines.written] == [
        "interface has another MAC",
        "interface down",
        "interface up",
    ]
