"""The intent file, its single values, and what the core makes of its plan."""

from __future__ import annotations

import json
from pathlib import Path

from exporter.cluster.intent_file import IntentFile, IntentFileError, read_intent_file
from exporter.cluster.intent_yaml import MOST_COMPLAINTS
from exporter.publish.records import event_record, replay_record
from exporter.vip.core import Core
from exporter.vip.model import SECOND, Nanoseconds
from tests.fuzz.files import file_of
from tests.fuzz.lines import mutate_lines

START = 1_700_000_000 * SECOND

mutate = mutate_lines
TOKENS = tuple(
    text.encode()
    for text in (
        *("vips:\n", "nodes:\n", "  - ", "address: ", "addresses: ", "mode: ", "period: ", "service: ", "vlan: "),
        *("vipHost: ", "hwaddr: ", "lease_holder: ", "timeline:\n"),
        *("    - ", "at: ", "name: ", "macs: ", "candidate: "),
        *("192.0.2.100", "2001:db8::100", "0.0.0.0", "::ffff:192.0.2.1"),
        *("02:00:00:00:00:0a", "node-1", "dhcp", "static"),
        *("2026-01-31T08:00:00Z", "9999-12-31T23:59:59-23:59", "1e9999", "1_0", "-0", "NaN", "0.5", "3s", "100ms"),
        *("kube-system/x", "4094", "true", "off", "null", "~", "["),
        *("]", "{", "}", "&a ", "*a", "<<: ", "!!binary ", "? "),
        *("'", '"', "\\x00", "\\ud800", "|\n", ">-\n", "# ", "---\n", "...\n", "%YAML 1.1\n", "\ufeff", "\u2028", "\t"),
    )
)


def check(data: bytes) -> None:
    with file_of(data) as path:
        try:
            read = read_intent_file(path)
        except IntentFileError as error:
            check_complaints(str(error), path)
            return
        assert read_intent_file(path) == read
    check_entries(read)
    for now in (None, START + 100 * SECOND):
        play(read, now)


def check_complaints(said: str, path: Path) -> None:
    """Each is one line that names the file, and no more than are of use."""
    lines = said.split("\n")
    assert 1 <= len(lines) <= MOST_COMPLAINTS + 1
    for line in lines:
        assert line.startswith(f"{path}:"), line
        assert line.isprintable(), line
        assert len(line) < 1000, line


def check_entries(read: IntentFile) -> None:
    services = [entry.service for entry in read.entries]
    assert len(services) == len(set(services))
    for entry in read.entries:
        assert entry.said.addresses
        for address in entry.said.addresses:
            assert not (address.is_unspecified or address.is_multicast or address.is_loopback)
        assert entry.vlan is None or 1 <= entry.vlan <= 4094
        assert entry.period is None or 0 <= entry.period <= 3600 * SECOND


def play(read: IntentFile, now: Nanoseconds | None) -> None:
    """The core takes the plan as it comes, and what it says of it can be told."""
    plan = read.plan(start=START, now=now)
    began = START if now is None else now
    assert all(each.at == began for each in plan.initial)
    assert all(each.at > began for each in plan.later)
    assert [each.at for each in plan.later] == sorted(each.at for each in plan.later)
    core = Core(at=began, listening=True)
    for each in (*plan.initial, *plan.later):
        for event in core.observe(each):
            json.dumps(event_record(event, lambda at: at)).encode()
    for vip in core.snapshot().vips:
        json.dumps(replay_record(vip)).encode()
