"""What the exporter knows of itself, as plain data, for metrics and the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from exporter.vip.histogram import Distribution
from exporter.vip.model import Nanoseconds


@dataclass(frozen=True, slots=True)
class CaptureStatus:
    """What one interface's capture tells of itself."""

    device: str
    up: bool
    frames: int
    dropped: int
    reopens: int
    last_frame: Nanoseconds | None
    ignored: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class KubernetesStatus:
    up: bool
    last_sync: Mapping[str, Nanoseconds]
    errors: Mapping[tuple[str, Any], int]
    """By resource and reason."""


@dataclass(frozen=True, slots=True)
class ExporterStatus:
    """What the exporter knows of itself, beside the VIPs."""

    observer: str = ""
    revision: str = ""
    captures: Sequence[CaptureStatus] = ()
    kubernetes: KubernetesStatus | None = None
    reconciles: Mapping[str, int] = field(default_factory=dict)
    reconcile_duration: Distribution | None = None
    log_suppressed: Mapping[str, int] = field(default_factory=dict)
    state_file_up: bool | None = None
    """None: no state file is configured."""
    config_reloaded: bool | None = None
    config_reloaded_at: Nanoseconds | None = None
    """Of the last success."""
