"""A page as parts, each an HTML element with an id, so that a browser that has it can be told only what has changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from exporter.publish.records import rfc3339
from exporter.vip.model import Nanoseconds


@dataclass(frozen=True, slots=True)
class Parts:
    """What of the page may change, at one moment."""

    at: Nanoseconds
    """Wall clock, nanoseconds since 1970, UTC."""
    elements: Mapping[str, str]
    """By id, the whole element as HTML. None lies within another."""
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By the id of an element that holds some of them and nothing else: their ids, in order."""


def difference(before: Parts | None, after: Parts) -> dict[str, Any]:
    """What a browser that has `before` needs to have `after`, for JSON; None: it may have anything.

    `time` is always there; `elements` (id → HTML) has those that are new or changed, `lists` the lists that are.
    """
    had, lists = (before.elements, before.lists) if before else ({}, {})
    return {
        "time": rfc3339(after.at),
        "elements": {name: html for name, html in after.elements.items() if had.get(name) != html},
        "lists": {name: list(order) for name, order in after.lists.items() if lists.get(name) != order},
    }
