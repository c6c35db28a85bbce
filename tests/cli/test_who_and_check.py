"""What `who` and `check` make of what was seen: answers, exit statuses, findings with reasons and remedies."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import ip_network
from types import SimpleNamespace

import pytest

from exporter.cli import check, main, who
from exporter.cli.checklist import Status, checklist
from exporter.clock import Clock
from exporter.look import Look
from exporter.publish.length import length
from exporter.vip.agreement import Answer, answer
from exporter.vip.model import HostSeen, Link, Mode, Source, seconds
from tests.vip.more import wish
from tests.vip.situations import (
    VIP,
    announce,
    bound,
    frames,
    interleave,
    lease,
    mac_of,
    new_core,
    node,
    nodes,
    play,
    service,
)

AB = nodes(0, node("A", addresses=["192.0.2.11"]), node("B", addresses=["192.0.2.12"]))
HELD = announce("A", until=12)
AGREED = interleave(AB, service(0, "node-a"), lease(0, "node-a"), HELD)


def host(at: float = 0) -> list:
    return [HostSeen(seconds(at), (Link("eth0", mac_of("A"), (ip_network("192.0.2.0/24"),)),))]


def target(resource: str, reason: str = "") -> SimpleNamespace:
    return SimpleNamespace(
        resource=resource, object=f"kube-system/{resource[:-1]}", up=not reason, listed=not reason, reason=reason
    )


def cluster_of(*targets: SimpleNamespace) -> SimpleNamespace:
    return SimpleNamespace(targets=targets, kube_vip_version=(0, 8, 2))


READABLE = cluster_of(target("services"), target("leases"))


def seen(
    inputs,
    *,
    until: float = 12,
    lacking=None,
    observer: str = "node-a",
    cluster=READABLE,
    period=None,
    listened: float | None = None,
    deaf=None,
) -> Look:
    run = play(inputs, until=until, core=new_core(observer=observer, period=period))
    return Look(
        clock=Clock(),
        observer=observer,
        snapshot=run.core.snapshot(),
        lacking=lacking or {},
        cluster=cluster,
        captures=(SimpleNamespace(device="eth0"),),
        listened=seconds(until if listened is None else listened),
        deaf=deaf or {},
    )


ANSWERS = [
    ("wire, lease and annotation name one node", AGREED, 12, Answer.AGREED),
    (
        "two names of one node are no disagreement",
        interleave(AB, service(0, "Node-A.example"), HELD),
        12,
        Answer.AGREED,
    ),
    ("the wire alone, from a MAC of no known node: the MAC is the answer", announce("X", until=12), 12, Answer.AGREED),
    (
        "the annotation names another, settle time or not",
        interleave(AB, service(0, "node-b"), HELD),
        12,
        Answer.DISAGREEMENT,
    ),
    ("the lease names another", interleave(AB, lease(0, "node-b"), HELD), 12, Answer.DISAGREEMENT),
    (
        "the annotation is a leftover",
        interleave(AB, service(0, "node-b"), lease(0, "node-b", expires=5), HELD),
        12,
        Answer.AGREED,
    ),
    ("bound here, held elsewhere", interleave(AB, bound(0, "eth0"), announce("B", until=12)), 12, Answer.DISAGREEMENT),
    (
        "a MAC of no node, though the lease names one",
        interleave(AB, lease(0, "node-a"), announce("X", until=12)),
        12,
        Answer.DISAGREEMENT,
    ),
    ("a MAC that may be any node's", interleave(lease(0, "node-a"), announce("X", until=12)), 12, Answer.AGREED),
    ("two announce it", interleave(AB, announce("A", until=30), announce("B", until=30, from_=1)), 30, Answer.CONTEST),
    ("a second one has just begun", interleave(AB, HELD, frames("B", 11)), 12, Answer.MOVING),
    ("nobody announces it, whatever the lease says", interleave(AB, lease(0, "node-a")), 16, Answer.SILENCE),
    ("nothing is known", [], 1, Answer.UNKNOWN),
]


@pytest.mark.parametrize(("inputs", "until", "expected"), [row[1:] for row in ANSWERS], ids=[row[0] for row in ANSWERS])
def test_the_answer(inputs, until, expected) -> None:
    (vip,) = seen(inputs, until=until).snapshot.vips
    assert answer(vip) is expected


@pytest.mark.parametrize(
    ("inputs", "until", "status"),
    [(AGREED, 12, 0), (interleave(AB, service(0, "node-b"), HELD), 12, 1), ([], 16, 1), ([], 1, 2)],
    ids=["agreed", "disagreement", "silence", "unknown"],
)
def test_exit_status_and_json(monkeypatch, capsys, inputs, until, status) -> None:
    look = seen(inputs, until=until)
    monkeypatch.setattr(who, "look", lambda *_args, **_kwargs: look)
    assert main(["who", str(VIP), "--json"]) == status
    document = json.loads(capsys.readouterr().out)
    (vip,) = document["vips"]
    assert vip["vip"] == str(VIP)
    assert vip["answer"] in list(Answer)
    assert document["observer"] == "node-a"
    assert main(["who", str(VIP)]) == status
    assert str(VIP) in capsys.readouterr().out


def shown(monkeypatch, capsys, command, look: Look, *, status: int) -> list[str]:
    """The lines that the command prints of a look."""
    monkeypatch.setattr(command, "look", lambda *_args, **_kwargs: look)
    assert main([command.__name__.rpartition(".")[2], str(VIP)]) == status
    return capsys.readouterr().out.splitlines()


def rows_of(lines: list[str]) -> dict[str, str]:
    """The table's rows by source."""
    return {line.split()[0]: line for line in lines if line.startswith("  ") and line.split()[0] in list(Source)}


def test_text_names_every_source(monkeypatch, capsys) -> None:
    inputs = interleave(AGREED, bound(0, "eth0", "vip-12345678"))
    look = seen(inputs, lacking={Source.WIRE: "not permitted to capture"}, listened=2)
    lines = shown(monkeypatch, capsys, who, look, status=0)
    assert lines[0].startswith("192.0.2.10  node-a, since ")
    assert lines[1] == "  agreed by wire, lease, annotation, local"
    rows = rows_of(lines)
    assert set(rows) == {"wire", "lease", "annotation", "local"}
    assert "bound on eth0, vip-12345678" in rows["local"]
    assert "not available" in rows["wire"]
    assert lines[-1] == "lacking the wire: not permitted to capture"


def test_a_time_that_nobody_knows_is_not_made_up(monkeypatch, capsys) -> None:
    """The look began after the holder had taken over, and no Lease says when that was."""
    look = seen(interleave(AB, HELD))
    assert shown(monkeypatch, capsys, who, look, status=0)[0] == "192.0.2.10  node-a, for at least 12.0 s"
    assert main(["who", str(VIP), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["vips"][0]["since"] is None


TROUBLE = [
    (
        "a contest, with the claimants; the lease still names one",
        interleave(AB, lease(0, "node-a"), announce("A", until=30), announce("B", until=30, from_=1)),
        30,
        ["CONTESTED: several announce it", "holder, by lease: node-a", "2 claimants", "node-b  [node]"],
    ),
    ("silence", interleave(AB, lease(0, "node-a")), 16, ["SILENT: nobody announces it", "holder, by lease: node-a"]),
    (
        "the source that differs is marked",
        interleave(AB, bound(0, "eth0"), announce("B", until=12)),
        12,
        ["THE SOURCES DISAGREE", "holder, by wire: node-b", "bound on eth0, DIFFERS"],
    ),
    (
        "a stranger",
        interleave(AB, lease(0, "node-a"), announce("X", until=12)),
        12,
        ["THE SOURCES DISAGREE", "which is NO NODE'S"],
    ),
]


@pytest.mark.parametrize(("inputs", "until", "says"), [row[1:] for row in TROUBLE], ids=[row[0] for row in TROUBLE])
def test_trouble_comes_first_and_has_a_remedy(monkeypatch, capsys, inputs, until, says) -> None:
    lines = shown(monkeypatch, capsys, who, seen(inputs, until=until), status=1)
    assert lines[0] == f"{VIP}  {says[0]}"
    text = "\n".join(lines)
    assert [what for what in says if what not in text] == []
    assert lines[-1] == "what to do: vip-exporter check"


@pytest.mark.parametrize(
    ("cluster", "lacking", "says"),
    [
        (
            cluster_of(target("services"), target("leases", "forbidden")),
            {Source.LEASE: "not permitted"},
            ["lacking the Lease: not permitted; --log.level=warning tells more"],
        ),
        (
            cluster_of(target("services", "timeout"), target("leases", "timeout")),
            {Source.ANNOTATION: "no answer", Source.LEASE: "no answer"},
            ["lacking Kubernetes: no answer; --log.level=warning tells more"],
        ),
        (
            None,
            {Source.ANNOTATION: "no kubeconfig", Source.LEASE: "no kubeconfig"},
            ["lacking Kubernetes: no kubeconfig"],
        ),
    ],
    ids=["the Leases", "all of it", "no cluster"],
)
def test_what_of_kubernetes_is_missing(monkeypatch, capsys, cluster, lacking, says) -> None:
    """Said once, in one line, and never as if there were no Lease."""
    lines = shown(monkeypatch, capsys, who, seen(HELD, cluster=cluster, lacking=lacking), status=0)
    assert [line for line in lines if line.startswith("lacking")] == says
    assert "not available" in rows_of(lines)["lease"]


def test_no_vip_at_all_is_unknown(monkeypatch, capsys) -> None:
    look = Look(
        clock=Clock(),
        observer="node-a",
        snapshot=new_core(watch=()).snapshot(),
        lacking={},
        cluster=None,
        captures=(),
        listened=0,
    )
    monkeypatch.setattr(who, "look", lambda *_args, **_kwargs: look)
    monkeypatch.setattr(check, "look", lambda *_args, **_kwargs: look)
    assert main(["who", "192.0.2.10"]) == 2
    assert capsys.readouterr().out.startswith("no VIP is known")
    assert main(["check", "192.0.2.10"]) == 1
    assert "no VIP is known" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["who", "check"])
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["192.0.2.300"], "192.0.2.300"),
        (["ff02::1"], "ff02::1"),
        (["--no-kubernetes.enabled"], "name the VIP"),
        (["--kubernetes.kubeconfig", "/nowhere/kubeconfig"], "/nowhere/kubeconfig"),
        (["--intent.file", "/nowhere/intent.yaml"], "/nowhere/intent.yaml"),
        (["--no-such-flag"], "--no-such-flag"),
    ],
)
def test_bad_input_is_named(capsys, command, arguments, says) -> None:
    assert main([command, *arguments]) == 64
    assert says in capsys.readouterr().err


# --- check ------------------------------------------------------------------------------------------------------------


def found(look: Look, requirement: str):
    return [one for one in checklist(look, look.snapshot.vips) if one.requirement == requirement]


def test_everything_met() -> None:
    look = seen(interleave(AGREED, host(), bound(0, "eth0")))
    findings = list(checklist(look, look.snapshot.vips))
    assert [one for one in findings if one.status is not Status.MET] == []
    assert {one.requirement for one in findings} == {
        "capture", "kubernetes", "one_segment", "distinct_from_nodes", "same_subnet", "heard_here",
        "load_balancer_service", "one_holder", "lease",
    }  # fmt: skip


FAILURES = [
    ("distinct_from_nodes", interleave(nodes(0, node("A", addresses=[str(VIP)])), HELD), 12),
    ("same_subnet", interleave([HostSeen(0, (Link("eth0", None, (ip_network("192.0.2.11/32"),)),))], AB, HELD), 12),
    ("heard_here", interleave(AB, lease(0, "node-a")), 16),
    ("load_balancer_service", interleave(service(0, "node-a", load_balancer=False), HELD), 12),
    ("one_holder", interleave(AB, announce("A", until=30), announce("B", until=30, from_=1)), 30),
    ("one_holder", interleave(AB, service(0, "node-b"), HELD), 12),
    ("one_holder", [], 16),
    ("lease", interleave(lease(0, "node-a", expires=5), HELD), 12),
    ("distinct_macs", interleave(nodes(0, node("AX"), node("BX")), HELD), 12),
]


@pytest.mark.parametrize(("requirement", "inputs", "until"), FAILURES)
def test_what_fails_has_reason_and_remedy(requirement, inputs, until) -> None:
    (finding,) = found(seen(inputs, until=until), requirement)
    assert finding.status is Status.FAILED
    assert finding.reason
    assert finding.remedy


def test_what_cannot_be_told_fails_nothing(monkeypatch, capsys) -> None:
    lacking = {Source.WIRE: "not permitted", Source.LOCAL: "no netlink", Source.ANNOTATION: "no answer"}
    look = replace(seen([], until=1, lacking=lacking, cluster=cluster_of(target("services", "timeout"))), captures=())
    monkeypatch.setattr(check, "look", lambda *_args, **_kwargs: look)
    assert main(["check", str(VIP), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {one["status"] for one in document["checks"]} == {"unknown"}
    assert all(one["remedy"] for one in document["checks"])
    assert document["lacking"] == {"wire": "not permitted", "local": "no netlink", "annotation": "no answer"}
    assert shown(monkeypatch, capsys, check, look, status=0)[-1] == "nothing fails, 7 cannot be told"


def test_a_refused_resource_is_named_with_the_reason() -> None:
    refused = cluster_of(target("services"), target("leases", "forbidden"))
    look = seen(interleave(AB, service(0, "node-a"), HELD), cluster=refused, lacking={Source.LEASE: "not permitted"})
    (finding,) = found(look, "kubernetes")
    assert finding.status is Status.FAILED
    assert finding.reason == "leases kube-system/lease: not permitted to read it (forbidden)"
    assert "docs/rbac.md" in finding.remedy
    (finding,) = found(look, "lease")
    assert (finding.status, finding.reason) == (Status.UNKNOWN, "cannot be read: not permitted")


def test_a_service_that_cannot_be_read_is_not_missing() -> None:
    """Harvester's ConfigMap tells of the VIP; its Service is a matter of permission."""
    expected = wish(0)
    unread = cluster_of(target("services", "forbidden"), target("configmaps"))
    statuses = {
        ("read", Status.FAILED): found(seen(interleave(expected, HELD)), "load_balancer_service"),
        ("unread", Status.UNKNOWN): found(
            seen(interleave(expected, HELD), cluster=unread, lacking={Source.ANNOTATION: "not permitted"}),
            "load_balancer_service",
        ),
    }
    assert {key: [one.status for one in ones] for key, ones in statuses.items()} == {key: [key[1]] for key in statuses}


def test_an_address_that_no_service_has_may_be_a_slip() -> None:
    (finding,) = found(seen(interleave(AB, []), until=16), "load_balancer_service")
    assert finding.status is Status.UNKNOWN
    assert "slip" in finding.remedy


def test_each_deaf_interface_is_named() -> None:
    look = replace(
        seen(AGREED, deaf={"eth1": "interface down"}),
        captures=(SimpleNamespace(device="eth0"), SimpleNamespace(device="eth1")),
    )
    assert [(one.status, one.reason) for one in found(look, "capture")] == [
        (Status.MET, "listening on eth0"),
        (Status.UNKNOWN, "nothing can be heard on eth1: interface down"),
    ]


def test_dhcp_asks_for_a_reservation_and_the_version() -> None:
    look = seen(interleave(AB, service(0, "node-a", mode=Mode.DHCP, hwaddr="M"), HELD))
    assert [one.status for one in found(look, "dhcp_reservation")] == [Status.UNKNOWN]
    assert [one.reason for one in found(look, "kube_vip_version")] == ["0.8.2"]


def test_a_failure_ends_with_status_1_and_is_shown(monkeypatch, capsys) -> None:
    look = seen(interleave(service(0, "node-a", load_balancer=False), HELD))
    monkeypatch.setattr(check, "look", lambda *_args, **_kwargs: look)
    assert main(["check", str(VIP)]) == 1
    text = capsys.readouterr().out
    assert "FAILED  load_balancer_service" in text
    assert text.splitlines()[-1].startswith("1 failed, ")


@pytest.mark.parametrize(
    ("duration", "words"),
    [(-1, "0.0 s"), (2.34, "2.3 s"), (250, "4 m 10 s"), (7_380, "2 h 3 m"), (266_400, "3 d 2 h")],
)
def test_lengths_of_time(duration, words) -> None:
    assert length(seconds(duration)) == words
