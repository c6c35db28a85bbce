"""What the page shows of the exporter itself, and what of it keeps the answers on the VIPs from being whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from exporter import __version__
from exporter.publish.html.words import Time, listed
from exporter.publish.records import ToWall
from exporter.publish.status import ExporterStatus
from exporter.vip.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the exporter's own health."""

    name: str
    glyph: str
    words: str
    is_well: bool
    moment: Time | None = None


@dataclass(frozen=True, slots=True)
class Interface:
    device: str
    glyph: str
    words: str
    is_well: bool
    frames: str
    dropped: str
    reopens: str
    last_frame: Time | None


@dataclass(frozen=True, slots=True)
class Resource:
    name: str
    last_sync: Time


@dataclass(frozen=True, slots=True)
class Health:
    observer: str
    version: str
    items: tuple[Item, ...]
    interfaces: tuple[Interface, ...]
    resources: tuple[Resource, ...]


def health(status: ExporterStatus, to_wall: ToWall, *, healthy: tuple[bool, str], ready: tuple[bool, str]) -> Health:
    return Health(
        status.observer,
        __version__,
        tuple(_items(status, to_wall, healthy=healthy, ready=ready)),
        tuple(_interfaces(status, to_wall)),
        tuple(
            Resource(name, Time.of(to_wall(at)))
            for name, at in (sorted(status.kubernetes.last_sync.items()) if status.kubernetes else ())
        ),
    )


def _items(
    status: ExporterStatus, to_wall: ToWall, *, healthy: tuple[bool, str], ready: tuple[bool, str]
) -> Iterator[Item]:
    yield _item("Healthy", healthy[0], "yes" if healthy[0] else f"no: {healthy[1]}")
    yield _item("Ready", ready[0], "yes" if ready[0] else f"no: {ready[1]}")
    if status.kubernetes is None:
        yield Item("Kubernetes", "–", "not watched", is_well=True)
    else:
        yield _item("Kubernetes", status.kubernetes.up, "answers" if status.kubernetes.up else "does not answer")
    if status.state_file_up is None:
        yield Item("State file", "–", "none: what happened is forgotten at a restart", is_well=True)
    else:
        up = status.state_file_up
        yield _item("State file", up, "is written" if up else "cannot be written; the log says why")
    if status.config_reloaded is not None:
        done = status.config_reloaded
        last = Time.maybe(status.config_reloaded_at, to_wall)
        words = "in force since" if done else "the last reload was refused, the log says why; in force since"
        yield _item("Configuration", done, words, last)


def _item(name: str, is_well: bool, words: str, moment: Time | None = None) -> Item:
    return Item(name, "✓" if is_well else "✗", words, is_well, moment)


def _interfaces(status: ExporterStatus, to_wall: ToWall) -> Iterator[Interface]:
    for capture in status.captures:
        yield Interface(
            capture.device,
            "✓" if capture.up else "✗",
            "listening" if capture.up else "nothing can be heard",
            capture.up,
            f"{capture.frames:,}",
            f"{capture.dropped:,}",
            f"{capture.reopens:,}",
            Time.maybe(capture.last_frame, to_wall),
        )


def warnings(
    snapshot: Snapshot, status: ExporterStatus, *, healthy: tuple[bool, str], ready: tuple[bool, str]
) -> Iterator[str]:
    """What a reader must know before believing the rest, for the top of the page."""
    if not healthy[0]:
        yield f"This exporter is not healthy: {healthy[1]}"
    elif not ready[0]:
        yield f"This exporter is not ready: {ready[1]}"
    deaf = tuple(capture.device for capture in status.captures if not capture.up)
    if deaf and len(deaf) == len(status.captures):
        yield f"This exporter hears nothing on {listed(deaf)}: what the wire says is not known"
    elif deaf:
        yield f"This exporter hears nothing on {listed(deaf)}: what is announced there is not known"
    if status.kubernetes is not None and not status.kubernetes.up:
        yield "Kubernetes does not answer: what Leases and annotations say is as it was before"
    for mac, nodes in snapshot.shared_macs.items():
        yield f"{mac} is claimed by {listed(nodes)}: it can name none of them"
