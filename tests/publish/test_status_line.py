"""The line that a service manager shows: who holds what, the worst first, and what is wrong with the exporter."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from exporter.publish.status import CaptureStatus, ExporterStatus, KubernetesStatus
from exporter.publish.status_line import MOST_NAMED, status_line
from exporter.vip.core import Core
from exporter.vip.model import Check, Source, State
from exporter.vip.snapshot import Mismatch, VipSnapshot

HELD = {"state": State.HELD, "holder": "node-1", "holder_source": Source.WIRE}
WELL = ExporterStatus()


def vip(last: int = 100, **said: object) -> VipSnapshot:
    core = Core(at=0, listening=True)
    core.watch(ip_address(f"192.0.2.{last}"))
    return replace(core.snapshot().vips[0], **said)


def line(*vips: VipSnapshot, status: ExporterStatus = WELL) -> str:
    return status_line(replace(Core(at=0).snapshot(), vips=vips), status)


def capture(device: str, *, up: bool) -> CaptureStatus:
    return CaptureStatus(device, up=up, frames=0, dropped=0, reopens=0, last_frame=None, ignored={})


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, "192.0.2.100 unknown"),
        (HELD, "192.0.2.100 held, node-1 by wire"),
        ({"holder": "node-1", "holder_source": Source.LEASE}, "192.0.2.100 unknown, node-1 by lease"),
        (
            {"state": State.HELD, "holder_mac": "02:00:00:00:00:0a"},
            "192.0.2.100 held, 02:00:00:00:00:0a of no known node",
        ),
        (
            {**HELD, "mismatches": (Mismatch(Check.HOST, 0), Mismatch(Check.BOUND, 0))},
            "192.0.2.100 held, node-1 by wire, the sources disagree (host, bound)",
        ),
    ],
)
def test_a_vip_with_its_holder_and_who_says_so(said, expected) -> None:
    assert line(vip(**said)) == expected


def test_without_a_vip_it_says_that() -> None:
    assert line() == "no VIP is known"


def test_of_many_vips_the_worst_are_named_and_the_others_counted() -> None:
    well = [vip(last, **HELD) for last in range(1, 20)]
    silent = vip(20, state=State.SILENT)
    disputed = vip(21, **HELD, mismatches=(Mismatch(Check.HOST, 0),))
    parts = line(*well, silent, disputed).split("; ")
    assert parts[0] == "21 VIPs: 20 held, 1 silent"
    assert parts[1].startswith("192.0.2.21 held")
    assert parts[2] == "192.0.2.20 silent"
    assert len(parts) == 1 + MOST_NAMED


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (ExporterStatus(captures=[capture("eth0", up=True), capture("eth1", up=False)]), "eth1 cannot hear"),
        (ExporterStatus(kubernetes=KubernetesStatus(False, {}, {})), "Kubernetes does not answer"),
        (ExporterStatus(state_file_up=False), "the state file cannot be written"),
        (ExporterStatus(config_reloaded=False), "the configuration is wrong, the old one is in force"),
    ],
)
def test_what_is_wrong_with_the_exporter_comes_first(status, expected) -> None:
    assert line(vip(**HELD), status=status) == f"{expected}; 192.0.2.100 held, node-1 by wire"
