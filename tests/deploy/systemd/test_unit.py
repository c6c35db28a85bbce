"""The unit as delivered, under the real systemd: what it starts, permits, reloads, restarts and stops."""

from __future__ import annotations

import signal
import time
from ipaddress import IPv4Address
from urllib.error import URLError

import pytest

from exporter.vip.model import parse_mac
from exporter.wire import craft
from tests import netns

VIP = IPv4Address("192.0.2.100")
NET_RAW = f"{1 << 13:016x}"
CAPABILITY_SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
FAST = "[Service]\nRestartSec=100ms\n"

INTENT = """
vips:
  - address: 192.0.2.100
nodes:
  - {name: node-1, addresses: [192.0.2.11]}
  - {name: node-2, addresses: [192.0.2.12], macs: ["02:00:00:00:00:0b"]}
"""


def announce(wire: netns.Wire) -> None:
    """node-2 has the VIP."""
    wire.send([craft.announcement(VIP, parse_mac("02:00:00:00:00:0b"))])


def test_systemd_finds_nothing_wrong_with_the_unit(booted) -> None:
    assert booted.run("systemd-analyze", "verify", "/etc/systemd/system/vip-exporter.service") == ""


def test_start_returns_when_it_captures_and_serves(host) -> None:
    assert host.get("/-/ready") == "ok\n"
    assert "vip_exporter_capture_up" in host.get("/metrics")
    assert host.show("ActiveState") == "active"


def test_its_only_right_is_to_open_packet_sockets(host) -> None:
    process = host.process()
    assert {name: process[name] for name in CAPABILITY_SETS} == dict.fromkeys(CAPABILITY_SETS, NET_RAW)
    assert process["NoNewPrivs"] == "1"
    assert process["Seccomp"] == "2"  # a filter of system calls
    uids = {int(uid) for uid in process["Uid"].split()}
    assert all(61184 <= uid <= 65519 for uid in uids)  # of the range for users that exist while something runs
    assert process["Groups"] == process["Gid"].split()[0]


def test_it_can_write_to_its_own_directories_only(host) -> None:
    mounts = [line.split() for line in host.run("cat", f"/proc/{host.show('MainPID')}/mountinfo").splitlines()]
    writable = {fields[4] for fields in mounts if "rw" in fields[5].split(",")}
    # In /tmp it has a directory of its own; /proc is that of its own processes, and /dev/pts has its terminals.
    own = {"/var/lib/private/vip-exporter", "/run/vip-exporter", "/tmp", "/var/tmp"}
    assert writable == own | {"/proc", "/dev/pts"}


def test_it_sees_neither_homes_nor_other_processes_nor_devices(host) -> None:
    inside = ("nsenter", f"--target={host.show('MainPID')}", "--mount", "--root", "--")
    host.write("/home/somebody/secret", "secret")
    assert host.run(*inside, "ls", "-A", "/home") == ""
    assert "net" not in host.run(*inside, "ls", "/proc").split()
    assert {"kmsg", "mem", "rtc0"}.isdisjoint(host.run(*inside, "ls", "/dev").split())


def test_it_says_in_systemctl_status_who_holds_the_vip(changed, wire) -> None:
    changed.until(lambda: changed.show("StatusText") == "192.0.2.100 unknown")
    changed.write("/etc/vip-exporter/vips.yaml", INTENT)
    changed.systemctl("reload", "vip-exporter")
    announce(wire)
    changed.until(lambda: changed.show("StatusText") == "192.0.2.100 held, node-2 by wire")
    assert 'Status: "192.0.2.100 held, node-2 by wire"' in changed.systemctl("status", "vip-exporter")


class TestReload:
    def test_it_takes_what_the_files_say_now(self, changed) -> None:
        before = changed.show("MainPID")
        changed.write("/etc/vip-exporter/vips.yaml", INTENT.replace("192.0.2.100", "192.0.2.101"))
        changed.systemctl("reload", "vip-exporter")
        changed.until(lambda: changed.vip()["vip"] == "192.0.2.101")
        changed.until(lambda: changed.show("SubState") == "running")
        assert changed.show("MainPID") == before

    def test_with_a_wrong_file_it_fails_and_says_why(self, changed) -> None:
        changed.write("/etc/vip-exporter/config.yaml", "log: {levle: debug}\n")
        changed.systemctl("reload", "vip-exporter", succeeds=False)
        assert changed.wrote("log.levle")
        assert changed.show("SubState") == "running"
        assert changed.vip()["vip"] == "192.0.2.100"

    def test_a_wrong_file_shows_in_the_status_where_it_was_not_checked_before(self, changed) -> None:
        changed.write("/etc/vip-exporter/config.yaml", "log: {levle: debug}\n")
        changed.systemctl("kill", "--signal=HUP", "vip-exporter")
        changed.until(lambda: "the configuration is wrong" in changed.show("StatusText"))
        assert changed.show("SubState") == "running"


class TestRestart:
    def test_one_that_hangs_is_restarted_by_the_watchdog(self, stopped) -> None:
        stopped.drop_in(f"{FAST}WatchdogSec=3s\nTimeoutAbortSec=500ms\n")
        stopped.systemctl("start", "vip-exporter")
        healthy = stopped.show("MainPID")
        time.sleep(4)
        assert stopped.show("MainPID") == healthy
        stopped.systemctl("kill", "--signal=STOP", "vip-exporter")
        stopped.until(lambda: stopped.show("NRestarts") == "1" and stopped.show("SubState") == "running")
        assert stopped.wrote("Watchdog timeout")
        assert stopped.get("/-/ready") == "ok\n"

    def test_without_a_watchdog_it_runs_as_well(self, stopped) -> None:
        """It is told of one all the same, at a time that no calendar has."""
        stopped.drop_in("[Service]\nWatchdogSec=infinity\n")
        stopped.systemctl("start", "vip-exporter")
        assert stopped.get("/-/ready") == "ok\n"

    def test_it_leaves_in_the_journal_where_its_threads_were_and_no_core(self, stopped) -> None:
        stopped.drop_in(FAST)
        stopped.systemctl("start", "vip-exporter")
        stopped.systemctl("kill", f"--signal={signal.SIGABRT:d}", "vip-exporter")
        stopped.until(lambda: stopped.show("NRestarts") == "1" and stopped.show("SubState") == "running")
        assert stopped.wrote("exporter/wire/capture.py")
        assert stopped.wrote("status=6/ABRT")  # "dumped, status=..." would be a core

    def test_without_a_default_route_it_tries_until_there_is_one(self, stopped, wire) -> None:
        stopped.drop_in(FAST)
        netns.ip("-n", wire.here, "route", "delete", "default")
        try:
            stopped.systemctl("start", "vip-exporter", succeeds=False)
            stopped.until(lambda: int(stopped.show("NRestarts")) > 0)
            assert stopped.wrote("no default route")
        finally:
            netns.ip("-n", wire.here, "route", "add", "default", "via", "192.0.2.1")
        stopped.until(lambda: stopped.show("SubState") == "running")

    def test_an_interface_that_is_not_there_yet_is_waited_for(self, stopped, wire) -> None:
        stopped.write(
            "/etc/vip-exporter/config.yaml",
            "capture: {interface: late0}\nintent: {file: /etc/vip-exporter/vips.yaml}\n",
        )
        stopped.systemctl("start", "vip-exporter")
        stopped.until(lambda: "late0 cannot hear" in stopped.show("StatusText"))
        netns.ip("-n", wire.here, "link", "add", "late0", "type", "veth", "peer", "name", "late1")
        for end in ("late0", "late1"):
            netns.ip("-n", wire.here, "link", "set", end, "up")
        stopped.until(lambda: stopped.show("StatusText") == "192.0.2.100 unknown")
        netns.ip("-n", wire.here, "link", "delete", "late0")

    @pytest.mark.parametrize(
        ("settings", "unit", "status"),
        [
            pytest.param("log: {levle: debug}\n", "", "64", id="wrong-configuration"),
            pytest.param(
                "", "[Service]\nCapabilityBoundingSet=\nAmbientCapabilities=\n", "77", id="no-right-to-capture"
            ),
        ],
    )
    def test_what_no_restart_mends_ends_as_failed(self, stopped, settings, unit, status) -> None:
        if settings:
            stopped.write("/etc/vip-exporter/config.yaml", settings)
        if unit:
            stopped.drop_in(unit)
        stopped.systemctl("start", "vip-exporter", succeeds=False)
        assert (stopped.show("ActiveState"), stopped.show("ExecMainStatus")) == ("failed", status)
        assert stopped.show("NRestarts") == "0"


def test_it_ends_in_good_order_and_leaves_its_state_only_from_which_the_next_one_goes_on(changed, wire) -> None:
    announce(wire)
    changed.until(lambda: changed.vip()["state"] == "held")
    since = changed.vip()["since"]
    begun = time.monotonic()
    changed.systemctl("stop", "vip-exporter")
    assert time.monotonic() - begun < 3
    assert (changed.show("Result"), changed.show("ActiveState")) == ("success", "inactive")
    assert changed.wrote("msg=stopped")
    assert not changed.path("/run/vip-exporter").exists()
    with pytest.raises(URLError):
        changed.get("/-/healthy")
    state = changed.path("/var/lib/private/vip-exporter/state.db").stat()
    assert oct(state.st_mode) == "0o100600"
    changed.systemctl("start", "vip-exporter")
    announce(wire)
    changed.until(lambda: changed.vip()["state"] == "held")
    assert changed.vip()["since"] == since
