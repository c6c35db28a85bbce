"""Makes the sample rules and the sample Alertmanager configuration quick, so that a test need not wait for minutes.

Everything else in them stays as it is in the files that operators load.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ALERTS = Path(__file__).parent.parent.parent / "alerts"
RULES = ALERTS / "rules.yaml"
ALERTMANAGER = ALERTS / "alertmanager.yaml"

FACTOR = 30
"""What lasts minutes in the rules lasts seconds here: 15 minutes are 30 s, which at a scrape a second is as many
scrapes as 15 minutes are at one every half a minute."""

_UNITS = {"s": 1, "m": 60, "h": 3600}


def scaled_rules(text: str, factor: int = FACTOR) -> str:
    """The rules with shorter times, by nothing but text replacement.

    Divided by the factor are: windows (`[15m]`), offsets (`offset 3m`), waiting times (`for: 3m`), and numbers that are
    subtracted from the present (`time() - 600`). Not divided are what the exporter measures in real seconds (`> 30`
    of a handover), how far apart observers may tell of the same move (`- 10`), and thresholds that count.

    Raises:
        ValueError: a time would not be whole seconds any more, or stands where none is looked for.
    """

    def short(number: str, unit: str = "s") -> int:
        seconds, rest = divmod(int(number) * _UNITS[unit], factor)
        if rest or not seconds:
            raise ValueError(f"{number}{unit} cannot be divided by {factor}")
        return seconds

    text = re.sub(r"\[(\d+)([smh])\]", lambda match: f"[{short(*match.groups())}s]", text)
    text = re.sub(r"\boffset (\d+)([smh])\b", lambda match: f"offset {short(*match.groups())}s", text)
    text = re.sub(r"\bfor: (\d+)([smh])\b", lambda match: f"for: {short(*match.groups())}s", text)
    if left := re.findall(r"\b\d+[mh]\b", text):
        raise ValueError(f"not divided: {left}")
    return re.sub(r"\btime\(\) - (\d+)\b", lambda match: f"time() - {short(match[1])}", text)


def quick_alertmanager(text: str, webhook: str) -> str:
    """The configuration with groups sent at once, and each receiver's webhook at `webhook`/RECEIVER instead.

    Raises:
        ValueError: a receiver has no webhook.
    """
    config: dict[str, Any] = yaml.safe_load(text)
    config["route"] |= {"group_wait": "1s", "group_interval": "1s"}
    for receiver in config["receivers"]:
        if not receiver.get("webhook_configs"):
            raise ValueError(f"receiver {receiver['name']} has no webhook")
        for sender in receiver["webhook_configs"]:
            sender["url"] = f"{webhook}/{receiver['name']}"
    return yaml.safe_dump(config)
