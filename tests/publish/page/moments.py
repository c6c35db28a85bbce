"""Moments for the page, made of situations, and a reader of HTML that is strict where a browser is not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from ipaddress import ip_network

from exporter.publish.moment import Moment
from exporter.publish.records import event_record
from exporter.publish.status import CaptureStatus, ExporterStatus, KubernetesStatus
from exporter.vip.core import Core
from exporter.vip.model import SECOND, HostSeen, Input, IPAddress, Link, Nanoseconds, seconds
from tests.vip.situations import VIP, announce, bound, interleave, mac_of, new_core, node, nodes, play, service

BEGIN = 1_795_418_000 * SECOND
"""The wall-clock time of zero: 2026-11-23T07:13:20Z."""
AB = nodes(0, node("A", addresses=["192.0.2.11"]), node("B", addresses=["192.0.2.12"]))
HOST = [HostSeen(0, (Link("eth0", mac_of("A"), (ip_network("192.0.2.0/24"),)),))]
HELD = interleave(AB, HOST, bound(0, "eth0"), service(0, "node-a"), announce("A", until=12))


def to_wall(at: Nanoseconds) -> Nanoseconds:
    return BEGIN + at


STATUS = ExporterStatus(
    observer="node-a",
    captures=[CaptureStatus("eth0", True, 1234, 5, 0, seconds(12), {})],
    kubernetes=KubernetesStatus(True, {"services": seconds(11)}, {}),
    state_file_up=True,
    config_reloaded=True,
    config_reloaded_at=0,
)


def moment(
    inputs: Sequence[Input] = HELD,
    *,
    until: float = 12,
    watch: Iterable[IPAddress] = (VIP,),
    status: ExporterStatus = STATUS,
    healthy: tuple[bool, str] = (True, "ok"),
    ready: tuple[bool, str] = (True, "ok"),
    core: Core | None = None,
) -> Moment:
    """What the page has to show when all of this has happened."""
    run = play(inputs, until=until, core=core or new_core(observer="node-a", watch=watch))
    records = [event_record(event, to_wall) for event in run.events]
    return Moment(
        snapshot=run.core.snapshot(),
        status=status,
        healthy=healthy,
        ready=ready,
        events=lambda: records,
        to_wall=to_wall,
    )


def deaf(*devices: str, kubernetes: bool = True) -> ExporterStatus:
    """These interfaces hear nothing, eth0 does unless it is among them."""
    captures = [replace(STATUS.captures[0], device=device, up=device not in devices) for device in {"eth0", *devices}]
    return replace(STATUS, captures=captures, kubernetes=KubernetesStatus(kubernetes, {}, {}))


_VOID = {"meta", "link", "input", "br"}


class Reading(HTMLParser):
    """A document or a part of one.

    Raises:
        AssertionError: an element is not closed, or not in turn.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    @property
    def text(self) -> str:
        """What can be read, spaces as one."""
        return " ".join("".join(self.words).split())

    @property
    def ids(self) -> list[str]:
        return [attributes["id"] or "" for _, attributes in self.elements if "id" in attributes]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"an attribute twice: {tag} {attrs}"
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self._open):
            self.words.append(data)
