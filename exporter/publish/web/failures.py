"""Count failed logins by client, and say how long one that has too many must wait; checks no password itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv6Address, IPv6Network, ip_address

from exporter.vip.model import SECOND, Nanoseconds

BURST = 10
"""Failures at once."""
REGAIN: Nanoseconds = 3 * SECOND
"""After this time there may be one more."""
MOST_CLIENTS = 4096
"""Kept apart; beyond that, the one that failed longest ago is forgotten, and may have a burst again."""


def party(client: str) -> str:
    """Who counts as one: an IPv4 address; a /64 of IPv6, all of which one host may use; all that have neither."""
    try:
        address = ip_address(client.partition("%")[0])
    except ValueError:
        return ""
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Network((address, 64), strict=False))


@dataclass(slots=True)
class Failures:
    """A token bucket for each party, kept as the moment at which it is full again. Times are of one monotonic clock."""

    _full: dict[str, Nanoseconds] = field(default_factory=dict)
    # The order of this dict is that of the latest failures.

    def wait(self, who: str, now: Nanoseconds) -> Nanoseconds:
        """How long until one more is allowed; 0: now."""
        return max(0, self._full.get(who, now) + REGAIN - BURST * REGAIN - now)

    def add(self, who: str, now: Nanoseconds) -> None:
        self._full[who] = max(self._full.pop(who, now), now) + REGAIN
        if len(self._full) > MOST_CLIENTS:
            del self._full[next(iter(self._full))]

    def known(self, who: str) -> bool:
        """Whether it has failed before, however long ago, as far as is remembered."""
        return who in self._full

    def take_back(self, who: str, now: Nanoseconds) -> None:
        """The latest one was none after all."""
        full = self._full.pop(who, now) - REGAIN
        if full > now:
            self._full[who] = full

    def forgive(self, who: str) -> None:
        """It has logged in."""
        self._full.pop(who, None)
