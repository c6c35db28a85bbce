"""What a value looks like: its text and colour by mappings, thresholds and units, as Grafana reckons them.

Only the units, mappings, matchers and colours that the dashboards use; any other raises.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.monitoring.grafana.frames import STRING, TIME, Field, Frame, UnsupportedError

COLOURS = {
    "text": "#ccccdc",
    "green": "#73bf69",
    "yellow": "#fade2a",
    "blue": "#5794f2",
    "orange": "#ff9830",
    "red": "#f2495c",
}
PALETTE = [*(COLOURS[name] for name in ("green", "yellow", "blue", "orange", "red")), "#b877d9", "#8ab8ff", "#96d98d"]
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Shown:
    """A value as it appears."""

    text: str
    colour: str


def configured(frames: list[Frame], field_config: Mapping[str, Any]) -> list[Frame]:
    """Apply the panel's defaults and overrides to every field that they match."""
    defaults = field_config.get("defaults") or {}
    for frame in frames:
        for column in frame.fields:
            given = column.config
            column.config = {**_flat(defaults), **given}
            for override in field_config.get("overrides") or []:
                if _matches(override["matcher"], column):
                    column.config |= {rule["id"]: rule.get("value") for rule in override["properties"]}
    return frames


def shown(column: Field, value: Any, *, now: float, position: int = 0) -> Shown:
    """How a value of a field appears.

    Args:
        now: the dashboard's end, seconds since 1970.
        position: of the series among its like, for palettes.
    """
    config = column.config
    for mapping in config.get("mappings") or []:
        found = _mapped(mapping, value)
        if found is not None:
            return Shown(found["text"], colour_of(found["color"]))
    return Shown(text_of(column, value, now=now), _colour(config, value, position))


def text_of(column: Field, value: Any, *, now: float) -> str:
    """A value without regard to mappings."""
    if value is None or value == "":
        return str(column.config.get("noValue") or ("" if column.kind == STRING else "-"))
    unit = str(column.config.get("unit") or "")
    if isinstance(value, str):
        number = _NUMBER.fullmatch(value) if unit not in ("", "string") else None  # Grafana takes it for one
        return value if number is None else unit_text(unit, float(value), column.config.get("decimals"), now=now)
    if column.kind == TIME:
        raise UnsupportedError(f"a time to be read: {column.title}")
    return unit_text(unit, float(value), column.config.get("decimals"), now=now)


def unit_text(unit: str, value: float, decimals: int | None, *, now: float) -> str:
    """A number with its unit.

    Raises:
        UnsupportedError: the unit is none that is known here.
    """
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if unit in ("", "short"):
        if unit == "short" and abs(value) >= 1000:
            return f"{_plain(value / 1000, decimals)} K"
        return _plain(value, decimals)
    if unit == "pps":
        return f"{_plain(value, decimals)} p/s"
    if unit == "s":
        return _duration(value, decimals)
    if unit == "dateTimeFromNow":
        return _ago(now - value / 1000)
    raise UnsupportedError(f"unit {unit}")


def colour_of(name: str) -> str:
    if name.startswith("#"):
        return name
    if name not in COLOURS:
        raise UnsupportedError(f"colour {name}")
    return COLOURS[name]


def threshold_colour(config: Mapping[str, Any], value: float) -> str:
    """The colour of the last step that the value reaches."""
    given = config.get("thresholds") or {"mode": "absolute", "steps": [{"color": "green"}]}
    if given["mode"] != "absolute":
        raise UnsupportedError(f"thresholds {given}")
    reached = [step for step in given["steps"] if step.get("value") is None or value >= step["value"]]
    return colour_of(reached[-1]["color"])


def _colour(config: Mapping[str, Any], value: Any, position: int) -> str:
    colour = config.get("color") or {}
    match colour.get("mode", "thresholds"):
        case "fixed":
            return colour_of(colour["fixedColor"])
        case "palette-classic":
            return PALETTE[position % len(PALETTE)]
        case "thresholds":
            # A text has the base colour.
            number = float(value) if isinstance(value, (int, float)) else -math.inf
            return threshold_colour(config, number)
        case other:
            raise UnsupportedError(f"colour mode {other}")


def _mapped(mapping: Mapping[str, Any], value: Any) -> Mapping[str, Any] | None:
    options = mapping["options"]
    match mapping["type"]:
        case "value":
            return options.get(_plain(value, None) if isinstance(value, (int, float)) else value)
        case "special":
            special = {"null": None, "empty": ""}
            if options["match"] not in special:
                raise UnsupportedError(f"mapping {mapping}")
            return options["result"] if value == special[options["match"]] else None
        case other:
            raise UnsupportedError(f"mapping {other}")


def _matches(matcher: Mapping[str, Any], column: Field) -> bool:
    if matcher["id"] != "byName":
        raise UnsupportedError(f"matcher {matcher}")
    return matcher["options"] == column.title or (not column.legend and matcher["options"] == column.name)


def _flat(defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Defaults as overrides write them: `custom.width` instead of a dictionary."""
    flat = {key: value for key, value in defaults.items() if key != "custom"}
    return flat | {f"custom.{key}": value for key, value in (defaults.get("custom") or {}).items()}


def _plain(value: float, decimals: int | None) -> str:
    if decimals is not None:
        return f"{value:.{decimals}f}"
    if value == int(value):
        return str(int(value))
    return f"{value:.{2 if abs(value) < 10 else 1}f}"


def _duration(seconds: float, decimals: int | None) -> str:
    for limit, size, name in ((1e-3, 1e-6, "µs"), (1, 1e-3, "ms"), (60, 1, "s"), (3600, 60, "min"), (86400, 3600, "h")):
        if abs(seconds) < limit and (seconds or name == "s"):
            return f"{_plain(seconds / size, decimals)} {name}"
    return f"{_plain(seconds / 86400, decimals)} d"


def _ago(seconds: float) -> str:
    size = abs(seconds)
    for limit, unit, name in ((60, 1, "second"), (3600, 60, "minute"), (86400, 3600, "hour"), (math.inf, 86400, "day")):
        if size < limit:
            count = round(size / unit)
            words = f"{count} {name}{'' if count == 1 else 's'}"
            return f"{words} ago" if seconds >= 0 else f"in {words}"
    raise AssertionError
