"""What `who` and `check` make of what was seen: answers, exit statuses, findings with reasons and remedies."""

from __future__ import annotations

import json
from ipaddress import ip_network
from types import SimpleNamespace

import pytest

from exporter.cli import check, main, who
from exporter.cli.check import Status, checklist
from exporter.cli.table import ago
from exporter.cli.who import Answer, answer
from exporter.clock import Clock
from exporter.look import Look
from exporter.vip.model import HostSeen, Link, Mode, Source, seconds
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
    return SimpleNamespace(resource=resource, object="kube-system/ingress-expose", up=not reason, reason=reason)


def seen(inputs, *, until: float = 12, lacking=None, observer: str = "node-a", cluster=None, period=None) -> Look:
    run = play(inputs, until=until, core=new_core(observer=observer, period=period))
    return Look(
        clock=Clock(),
        observer=observer,
        snapshot=run.core.snapshot(),
        lacking=lacking or {},
        cluster=cluster or SimpleNamespace(targets=(target("services"),), kube_vip_version=(0, 8, 2)),
        captures=(SimpleNamespace(device="eth0"),),
        listened=seconds(until),
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


def test_text_names_every_source(monkeypatch, capsys) -> None:
    inputs = interleave(AGREED, bound(0, "eth0", "vip-12345678"))
    look = seen(inputs, lacking={Source.WIRE: "not permitted to capture"})
    monkeypatch.setattr(who, "look", lambda *_args, **_kwargs: look)
    assert main(["who", str(VIP)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("192.0.2.10  node-a, since ")
    rows = {line.split()[0]: line for line in lines[4:] if line.startswith("  ")}
    assert set(rows) >= {"wire", "lease", "annotation", "local"}
    assert "bound on eth0, vip-12345678" in rows["local"]
    assert "not available" in rows["wire"]
    assert lines[-1] == "lacking the wire: not permitted to capture"


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
    assert capsys.readouterr().out == "no VIP is known\n"
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
    lacking = {Source.WIRE: "not permitted", Source.LOCAL: "no netlink", Source.ANNOTATION: "no such file"}
    look = seen([], until=1, lacking=lacking)
    monkeypatch.setattr(check, "look", lambda *_args, **_kwargs: look)
    assert main(["check", str(VIP), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {one["status"] for one in document["checks"]} == {"unknown"}
    assert all(one["remedy"] for one in document["checks"])
    assert document["lacking"] == {"wire": "not permitted", "local": "no netlink", "annotation": "no such file"}


def test_a_refused_resource_is_named_with_the_reason() -> None:
    cluster = SimpleNamespace(
        targets=(target("services"), target("leases", "forbidden: no access")), kube_vip_version=None
    )
    (finding,) = found(seen(AGREED, cluster=cluster), "kubernetes")
    assert finding.status is Status.FAILED
    assert "leases" in finding.reason
    assert "forbidden" in finding.reason


def test_dhcp_asks_for_a_reservation_and_the_version() -> None:
    look = seen(interleave(AB, service(0, "node-a", mode=Mode.DHCP, hwaddr="M"), HELD))
    assert [one.status for one in found(look, "dhcp_reservation")] == [Status.UNKNOWN]
    assert [one.reason for one in found(look, "kube_vip_version")] == ["0.8.2"]


def test_a_failure_ends_with_status_1_and_is_shown(monkeypatch, capsys) -> None:
    look = seen(interleave(service(0, "node-a", load_balancer=False), HELD))
    monkeypatch.setattr(check, "look", lambda *_args, **_kwargs: look)
    assert main(["check", str(VIP)]) == 1
    shown = capsys.readouterr().out
    assert "FAILED  load_balancer_service" in shown
    assert shown.endswith("1 failed\n")


@pytest.mark.parametrize(
    ("duration", "words"),
    [(-1, "0.0 s"), (2.34, "2.3 s"), (250, "4 m 10 s"), (7_380, "2 h 3 m"), (266_400, "3 d 2 h")],
)
def test_lengths_of_time(duration, words) -> None:
    assert ago(seconds(duration)) == words
