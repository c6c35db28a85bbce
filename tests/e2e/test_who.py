"""`who` and `check` as an operator meets them: real processes on the lab's nodes, what they print and how they end."""

from __future__ import annotations

import json
import os
import shlex
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from exporter.clock import Clock
from exporter.lab.cluster import LEASE, service
from exporter.lab.kubeapi import Rule
from exporter.lab.lab import Lab
from exporter.lab.network import DEVICE, NODES, OBSERVER, inside, mac_of
from exporter.publish.state_file import read_past
from exporter.vip.model import Source
from tests.e2e.conftest import BOTH, PERIOD, SLACK, VIP, VIP6
from tests.e2e.looks import (
    LONGEST,
    Looks,
    Outcome,
    closed_pipe,
    contents,
    copy_database,
    ended,
    heard,
    listen,
    listens,
    mute_server,
    strangeness,
)

DOCUMENTED = (Path(__file__).parents[2] / "docs" / "commands.md").read_text()
NO_RIGHT_TO_CAPTURE = ("setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw")
KNOWN_MACS = tuple(part for node in NODES for part in ("--nodes", f"{node}={mac_of(node).hex(':')}"))
"""Within the moment that a look takes here, a node may not have asked for anybody by ARP."""


@pytest.fixture(scope="module")
def looks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Looks]:
    state = tmp_path_factory.mktemp("state") / "state.sqlite"
    with Lab(period=PERIOD, vips=BOTH, renew=PERIOD, arguments=("--state.path", str(state))) as lab:
        looks = Looks(lab, state=state)
        try:
            yield looks
        finally:
            looks.close()


@pytest.fixture(autouse=True)
def node_1_holds(looks: Looks) -> None:
    """Each test begins with one node that holds both VIPs, alone and undisputed."""
    hold(looks.lab)


def hold(lab: Lab) -> None:
    lab.api.rules = None
    lab.api.apply("services", service(BOTH))
    for name in NODES[1:]:
        lab.nodes[name].release()
    lab.nodes["node-1"].take_over()


# --- a cluster that is well -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Day:
    """Every look at a cluster that is well, and what left node-2, on which most of them ran, meanwhile."""

    outcomes: Mapping[str, Outcome]
    frames: Sequence[bytes]
    kept_state: Mapping[str, tuple[int, bytes]]
    """The copy of the state file, and what else is in its directory, before: modification time and contents."""
    kept_state_after: Mapping[str, tuple[int, bytes]]

    def __getitem__(self, name: str) -> Outcome:
        return self.outcomes[name]


@pytest.fixture(scope="module")
def day(looks: Looks, tmp_path_factory: pytest.TempPathFactory) -> Day:
    lab, look = looks.lab, looks.command
    hold(lab)
    directory = tmp_path_factory.mktemp("look")
    until = time.monotonic() + 5 + SLACK
    while len([past for past in read_past(looks.state, Clock()).holders if past.holder == "node-1"]) < len(BOTH):
        assert time.monotonic() < until, "the exporter does not write its state file"
        time.sleep(0.05)
    kept = directory / "kept"
    kept.mkdir()
    copy_database(looks.state, kept / "state.sqlite")
    before = contents(kept)
    refused = directory / "refused"
    refused.write_text(looks.kubeconfig.read_text().replace(str(lab.api.token), "expired"))
    mute, frozen = inside(lab.network.observer.namespace, lambda: mute_server(lab.network.observer.address))
    frozen_config = directory / "frozen"
    frozen_config.write_text(looks.kubeconfig.read_text().replace(lab.api.url, frozen))
    closed = closed_pipe()
    segment = inside(f"{lab.network.prefix}-segment", lambda: listen("to-node-2"))
    commands = {
        "API frozen": look("node-2", "who", VIP, "--json", kubeconfig=frozen_config),
        "holder": look("node-1", "who", *KNOWN_MACS),
        "other": look("node-2", "who", *KNOWN_MACS),
        "json": look("node-2", "who", VIP, "--json", *KNOWN_MACS),
        "json on the holder": look("node-1", "who", "--json", *KNOWN_MACS),
        "IPv6": look("node-2", "who", VIP6, "--json", *KNOWN_MACS),
        "no right to capture": look("node-2", "who", VIP, before=NO_RIGHT_TO_CAPTURE),
        "no kubeconfig": look("node-2", "who", VIP, cluster=False),
        "no kubeconfig, no VIP": look("node-2", "who", cluster=False),
        "no interface named": look("node-2", "who", VIP, device=""),
        "token refused": look("node-2", "who", VIP, kubeconfig=refused),
        "token refused, no VIP": look("node-2", "who", kubeconfig=refused),
        "unknown VIP": look("node-2", "who", "192.0.2.77", "--json"),
        "state file": look(OBSERVER, "who", VIP, "--no-kubernetes.enabled", "--state.path", looks.state, "--json"),
        "state file kept": look("node-2", "who", VIP, "--no-kubernetes.enabled", "--state.path", kept / "state.sqlite"),
        "no state file": look("node-2", "who", VIP, "--no-kubernetes.enabled", "--state.path", kept / "other"),
        "first line": ["bash", "-c", f"{shlex.join(look('node-2', 'who'))} | head -1; exit ${{PIPESTATUS[0]}}"],
        "check": look("node-2", "check", VIP, "--json", *KNOWN_MACS),
        "check, text": look("node-2", "check", VIP, *KNOWN_MACS),
        "VIP outside the subnet": look("node-2", "check", "198.51.100.7", "--json"),
        "VIP of a node": look("node-2", "check", lab.network.hosts["node-3"].address, "--json"),
    }
    unread = looks.start(look("node-2", "who"), stdout=closed)
    os.close(closed)
    with mute, segment:
        outcomes = {"nobody reads": ended(unread), **looks.run_all(commands)}
        frames = list(heard(segment))
    return Day(outcomes, frames, before, contents(kept))


def test_agreed_on_the_holder(day: Day) -> None:
    """Two VIPs, each with every source, and all four name the node."""
    outcome = day["holder"].answers(0)
    assert len(outcome.blocks) == 2
    for vip, block in zip(BOTH, outcome.blocks, strict=True):
        assert f"{vip}  node-1, since 20" in outcome.out
        assert {source: row.split()[0] for source, row in block.items()} == dict.fromkeys(Source, "node-1")
        assert "bound on eth0" in block["local"]
    assert outcome.out.count("agreed by wire, lease, annotation, local") == 2


def test_agreed_on_another_node(day: Day) -> None:
    for block in day["other"].answers(0).blocks:
        names = {source: row.split()[0] for source, row in block.items()}
        assert names == {"wire": "node-1", "lease": "node-1", "annotation": "node-1", "local": "-"}
        assert "not bound on node-2" in block["local"]
    assert "lacking" not in day["other"].out


def test_json_says_the_same(day: Day) -> None:
    outcome = day["json"].answers(0)
    assert outcome.named == {"wire": "node-1", "lease": "node-1", "annotation": "node-1"}
    vip = outcome.vip
    assert (vip["vip"], vip["answer"], vip["holder"], vip["mac"]) == (
        str(VIP), "agreed", "node-1", mac_of("node-1").hex(":"),
    )  # fmt: skip
    assert (outcome.json["observer"], outcome.json["lacking"]) == ("node-2", {})
    assert [one["vip"] for one in day["json on the holder"].answers(0).json["vips"]] == [str(vip) for vip in BOTH]


def keys(value: object) -> set[str]:
    """Every key in a document, at whatever depth."""
    match value:
        case dict():
            return {*value, *(key for inner in value.values() for key in keys(inner))}
        case list():
            return {key for inner in value for key in keys(inner)}
    return set()


@pytest.mark.parametrize("name", ["json", "json on the holder", "API frozen", "unknown VIP", "check"])
def test_every_key_is_documented(day: Day, name: str) -> None:
    assert {key for key in keys(day[name].json) if f"`{key}`" not in DOCUMENTED} == set()


def test_two_runs_have_one_shape(day: Day) -> None:
    """Whatever is or is not known, a VIP has the same keys."""
    shapes = {
        name: [set(vip) for vip in day[name].json["vips"]] for name in ("json", "json on the holder", "unknown VIP")
    }
    assert len({frozenset(shape) for found in shapes.values() for shape in found}) == 1
    assert len({frozenset(day[name].json) for name in shapes}) == 1


def test_ipv6(day: Day) -> None:
    outcome = day["IPv6"].answers(0)
    assert outcome.vip["vip"] == str(VIP6)
    assert outcome.vip["announcements"]["na"] > 0
    assert outcome.named["wire"] == "node-1"


def test_nothing_but_a_kubeconfig(day: Day) -> None:
    """Lease and annotation answer; that the wire is missing, and why, is said at the end."""
    outcome = day["no right to capture"].answers(0)
    assert outcome.out.startswith(f"{VIP}  node-1, since 20")
    assert "agreed by lease, annotation" in outcome.out
    assert outcome.blocks[0]["wire"] == "- not available"
    (lacking,) = [line for line in outcome.out.splitlines() if line.startswith("lacking")]
    assert lacking.startswith("lacking the wire: not permitted to capture on eth0")
    assert "CAP_NET_RAW" in lacking


def test_nothing_but_the_right_to_capture(day: Day) -> None:
    """The MAC is the answer; what it cannot be told is which addresses are VIPs."""
    outcome = day["no kubeconfig"].answers(0)
    assert outcome.out.startswith(f"{VIP}  {mac_of('node-1').hex(':')} (node not known), for at least ")
    assert "agreed, by one source alone: wire" in outcome.out
    assert "lacking Kubernetes: no cluster configuration" in outcome.out
    refused = day["no kubeconfig, no VIP"]
    assert (refused.status, refused.out) == (64, "")
    assert "name the VIP" in refused.err
    assert "name a kubeconfig" in refused.err


def test_no_default_route_and_no_interface_named(day: Day) -> None:
    outcome = day["no interface named"].answers(0)
    assert outcome.out.splitlines()[-1].startswith("lacking the wire: no default route")
    assert "--capture.interface" in outcome.out.splitlines()[-1]
    assert outcome.blocks[0]["lease"].startswith("node-1")


def test_an_api_server_that_refuses_the_token(day: Day) -> None:
    outcome = day["token refused"].answers(0)
    assert mac_of("node-1").hex(":") in outcome.blocks[0]["wire"]
    assert outcome.out.splitlines()[-1].startswith("lacking Kubernetes: the API server does not accept the token")
    nothing = day["token refused, no VIP"].answers(2)
    assert nothing.out.startswith("no VIP is known")
    assert "does not accept the token" in nothing.out


def test_an_api_server_that_does_not_answer(day: Day) -> None:
    """The wire answers, after ten seconds of waiting for the other."""
    outcome = day["API frozen"].answers(0)
    assert outcome.vip["mac"] == mac_of("node-1").hex(":")
    assert outcome.json["lacking"].keys() == {"lease", "annotation"}
    assert 10 <= outcome.json["listened_seconds"] < 10 + SLACK


def test_an_address_that_nobody_ever_had(day: Day) -> None:
    """It is listened for during five periods; then it is silent."""
    outcome = day["unknown VIP"].answers(1)
    assert (outcome.vip["answer"], outcome.vip["state"], outcome.vip["services"]) == ("silence", "silent", [])
    assert outcome.json["listened_seconds"] >= 5 * PERIOD


def test_the_state_file_of_a_running_exporter_says_since_when(looks: Looks, day: Day) -> None:
    shown = {vip["vip"]: vip["since"] for vip in json.loads(looks.lab.program.get("/api/v1/vips"))["vips"]}
    assert day["state file"].answers(0).vip["since"] == shown[str(VIP)]


def test_the_state_file_stays_as_it_is(day: Day) -> None:
    """Neither its time nor a byte of it changes, and no file appears beside it."""
    assert ", since 20" in day["state file kept"].answers(0).out.splitlines()[0]
    assert "lacking the state file: there is no such file" in day["no state file"].answers(0).out
    assert day.kept_state_after == day.kept_state


def test_whoever_reads_may_stop_reading(day: Day) -> None:
    assert day["first line"].answers(0).out.startswith(f"{VIP}  node-1")
    assert len(day["first line"].out.splitlines()) == 1
    day["nobody reads"].answers(1)


def test_check_with_everything_met(day: Day) -> None:
    outcome = day["check"].answers(0)
    assert {one["status"] for one in outcome.json["checks"]} == {"met"}
    assert {one["requirement"] for one in outcome.json["checks"]} == {
        "capture", "kubernetes", "one_segment", "load_balancer_service", "distinct_from_nodes", "same_subnet",
        "heard_here", "one_holder", "lease",
    }  # fmt: skip
    text = day["check, text"].answers(0).out.splitlines()
    assert text[-1] == "nothing fails"
    assert f"{VIP}" in text


def test_check_of_addresses_that_are_no_good(day: Day) -> None:
    assert day["VIP outside the subnet"].answers(1).failed() == {"same_subnet", "one_holder"}
    assert "distinct_from_nodes" in day["VIP of a node"].answers(1).failed()


def test_no_frame_is_sent(looks: Looks, day: Day) -> None:
    """All that left node-2 is its talk with the API server, its own ARP, and what the lab makes its kernel say."""
    hosts = looks.lab.network.hosts
    assert len(day.frames) > 100
    strange = {what for frame in day.frames if (what := strangeness(frame, hosts["node-2"], api=hosts[OBSERVER]))}
    assert strange == set()


# --- a cluster that is not --------------------------------------------------------------------------------------------


def test_contest(looks: Looks) -> None:
    """Two nodes announce it. Both commands name the claimants, on the one that is in the wrong too."""
    looks.lab.nodes["node-3"].split_brain()
    outcomes = looks.run_all(
        {
            "who": looks.command("node-2", "who", VIP, *KNOWN_MACS),
            "json": looks.command("node-2", "who", VIP, "--json", *KNOWN_MACS),
            "check": looks.command("node-3", "check", VIP, "--json", *KNOWN_MACS),
        }
    )
    text = outcomes["who"].answers(1).out
    assert text.startswith(f"{VIP}  CONTESTED")
    assert "holder, by lease: node-1" in text
    for name in ("node-1", "node-3"):
        assert f"claimant: {mac_of(name).hex(':')}  {name}" in text
    vip = outcomes["json"].answers(1).vip
    assert (vip["answer"], vip["state"], {one["holder"] for one in vip["claimants"]}) == (
        "contest", "contested", {"node-1", "node-3"},
    )  # fmt: skip
    assert outcomes["check"].answers(1).failed() == {"one_holder"}
    finding = outcomes["check"].findings[str(VIP), "one_holder"]
    assert "node-1" in finding["reason"]
    assert "node-3" in finding["reason"]
    assert "the Lease names node-1" in finding["remedy"]


def expire_lease(lab: Lab) -> None:
    """As if nobody had renewed it for a minute."""
    renewed = (datetime.now(UTC) - timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    spec = {"holderIdentity": "node-1", "renewTime": renewed, "acquireTime": renewed, "leaseDurationSeconds": 15}
    lab.api.apply("leases", {"metadata": {"namespace": LEASE.namespace, "name": LEASE.name}, "spec": spec})


def test_silence_and_an_expired_lease(looks: Looks) -> None:
    """The holder was killed, and nobody has followed: only the node itself still has the address."""
    looks.lab.nodes["node-1"].crash()
    expire_lease(looks.lab)
    outcomes = looks.run_all(
        {
            "who": looks.command("node-2", "who", VIP, *KNOWN_MACS),
            "there": looks.command("node-1", "who", VIP, "--json", *KNOWN_MACS),
            "check": looks.command("node-2", "check", VIP, "--json", *KNOWN_MACS),
        }
    )
    text = outcomes["who"].answers(1)
    assert text.out.startswith(f"{VIP}  SILENT: nobody announces it")
    assert "EXPIRED; it named node-1" in text.blocks[0]["lease"]
    assert "not announced in" in text.blocks[0]["wire"]
    there = outcomes["there"].answers(1)
    assert (there.vip["answer"], there.named, there.vip["bound"]) == ("silence", {"local": "node-1"}, [DEVICE])
    assert outcomes["check"].answers(1).failed() >= {"one_holder", "lease"}


def test_address_left_behind(looks: Looks) -> None:
    """Only the node that kept it can see it: a disagreement there, and none anywhere else."""
    nodes = looks.lab.nodes
    nodes["node-1"].crash()
    nodes["node-3"].take_over()
    outcomes = looks.run_all(
        {
            "there": looks.command("node-1", "who", VIP, *KNOWN_MACS),
            "elsewhere": looks.command("node-2", "who", VIP, *KNOWN_MACS),
            "check": looks.command("node-1", "check", VIP, "--json", *KNOWN_MACS),
        }
    )
    there = outcomes["there"].answers(1)
    assert there.out.startswith(f"{VIP}  THE SOURCES DISAGREE")
    assert "holder, by wire: node-3" in there.out
    assert there.blocks[0]["local"] == f"node-1 bound on {DEVICE}, DIFFERS"
    assert outcomes["elsewhere"].answers(0).out.startswith(f"{VIP}  node-3, since ")
    assert outcomes["check"].answers(1).failed() == {"one_holder"}
    assert "left behind on node-1 (eth0)" in outcomes["check"].findings[str(VIP), "one_holder"]["remedy"]


def test_lease_names_another(looks: Looks) -> None:
    """Whose MAC announces is not known at first: it listens until a node's own ARP has told."""
    looks.lab.cluster.lease.acquire("node-2")
    outcome = looks.run(looks.command("node-2", "who", VIP, "--json")).answers(1)
    assert (outcome.vip["answer"], outcome.vip["holder"]) == ("disagreement", "node-1")
    assert outcome.named == {"wire": "node-1", "lease": "node-2", "annotation": "node-1"}


def test_service_that_is_no_load_balancer_any_more(looks: Looks) -> None:
    """The VIP lives on for now; Harvester's ConfigMap says that it should have a Service."""
    changed = service(BOTH)
    changed["spec"]["type"] = "ClusterIP"
    looks.lab.api.apply("services", changed)
    outcome = looks.run(looks.command("node-2", "check", VIP, "--json", *KNOWN_MACS)).answers(1)
    assert outcome.failed() == {"load_balancer_service"}


def test_leases_that_may_not_be_read(looks: Looks) -> None:
    """`who` goes on without, and does not say that there is none; `check` says what to permit."""
    looks.lab.api.rules = [Rule(resource) for resource in ("services", "nodes", "configmaps", "daemonsets")]
    outcomes = looks.run_all(
        {
            "who": looks.command("node-2", "who", VIP, *KNOWN_MACS),
            "check": looks.command("node-2", "check", VIP, "--json", *KNOWN_MACS),
        }
    )
    text = outcomes["who"].answers(0)
    assert text.blocks[0]["lease"] == "- not available"
    assert "lacking the Lease: not permitted to read it (forbidden)" in text.out
    assert outcomes["check"].answers(1).failed() == {"kubernetes"}
    refused = [one for one in outcomes["check"].json["checks"] if one["status"] == "failed"]
    assert {f"{LEASE}" in one["reason"] for one in refused} == {True, False}
    assert all("forbidden" in one["reason"] and "docs/rbac.md" in one["remedy"] for one in refused)
    assert outcomes["check"].findings[str(VIP), "lease"]["status"] == "unknown"


def test_interface_down(looks: Looks) -> None:
    """Neither wire nor API server: nobody is known, and it says why."""
    looks.lab.network.set_down("node-2")
    try:
        outcomes = looks.run_all(
            {"who": looks.command("node-2", "who", VIP), "check": looks.command("node-2", "check", VIP, "--json")}
        )
    finally:
        looks.lab.network.set_up("node-2")
    text = outcomes["who"].answers(2).out
    assert text.startswith(f"{VIP}  UNKNOWN")
    assert "lacking the wire: nothing can be heard on eth0 (interface down)" in text
    assert "lacking Kubernetes: the API server cannot be reached" in text
    assert {one["status"] for one in outcomes["check"].answers(0).json["checks"]} == {"unknown"}


def test_interrupted(looks: Looks) -> None:
    """Ctrl-C ends either while it looks, without a word."""
    nobody = "192.0.2.77"  # which is listened for long enough
    running = [looks.start(looks.command("node-2", command, nobody, period="1m")) for command in ("who", "check")]
    until = time.monotonic() + LONGEST
    for process in running:
        while not listens(process):
            assert time.monotonic() < until
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
    interrupted = time.monotonic()
    for process in running:
        assert ended(process) == Outcome(130, "", "")
    assert time.monotonic() - interrupted < 1 + SLACK


def test_nothing_was_written(looks: Looks) -> None:
    """Not one of all these looks tried to write to the cluster."""
    assert looks.lab.api.writes == []
