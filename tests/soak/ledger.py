"""The oracle: what every counter must be, worked out from the script that is played, and compared with /metrics.

It is told what is played ("a clean move from A to B, whose first frame comes at t"), never what the exporter thinks of
it, and imports nothing of the core. The rules it goes by, as the project's documentation states them:

- An announcement counts by its kind; other sightings and ignored frames by theirs. A capture that is down hears none.
- A claim begins with a MAC's announcement if none of that MAC came within the grace time before (after exactly the
  grace time the old one has lapsed); when capture was down, all begin anew. What the old holder still sends after a
  move that another source settled at once claims nothing, and the claim that he had is over.
- A source has moved when what it says names another node than it named last. It is heard when the API server answers;
  what was said and taken back during an outage was never heard. The first thing that a source says is no move, unless
  an earlier run of the exporter remembers another holder.
- Where all nodes announce one MAC, the lease's moves are the VIP's.
- A handover is observed once for each move on the wire whose old holder this run has heard: from his last announcement
  to the first of the new one, never below 0.
- Annotation lag is observed once for each move on the wire: from the new holder's first announcement until the
  annotation names him, never below 0; not at all if it does not before the next move.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.soak.virtual_clock import SECOND

BUCKETS = (1, 2, 5, 10, 20, 60, 300, 3600)
Series = tuple[str, tuple[tuple[str, str], ...]]
COUNTED = frozenset(
    {
        *("vip_moves_total", "vip_source_moves_total", "vip_mac_changes_total", "vip_contests_total"),
        *("vip_withdrawn_claims_total", "vip_announcements_total", "vip_claims_total", "vip_sightings_total"),
        *("vip_claimants_overflow_total", "vip_lease_transitions_total", "vip_exporter_ignored_frames_total"),
    }
)


def series(name: str, **labels: str) -> Series:
    return name, tuple(sorted(labels.items()))


@dataclass
class Said:
    """What one source says of one VIP."""

    written: str = ""
    """As it stands at the API server."""
    heard: str = ""
    """What was heard last, nobody's name left out."""
    heard_at: int = 0


@dataclass
class Ledger:
    """All counters of one run of the exporter."""

    hears: bool = True
    """Capture works."""
    answers: bool = True
    """The API server does."""
    counts: Counter[Series] = field(default_factory=Counter)
    handovers: list[int] = field(default_factory=list)
    lags: list[int] = field(default_factory=list)
    said: dict[tuple[str, str], Said] = field(default_factory=dict)
    """By VIP and source."""
    shared: set[str] = field(default_factory=set)
    """The VIPs whose nodes all announce one MAC."""
    _claims: dict[tuple[str, bytes], int] = field(default_factory=dict)
    """The last announcement of each MAC that has a claim."""
    _awaited: dict[str, tuple[str, int]] = field(default_factory=dict)
    """By VIP whose annotation has not followed: the node that it is to name, and the first frame of that."""

    def add(self, name: str, number: int = 1, **labels: str) -> None:
        self.counts[series(name, **labels)] += number

    # --- the wire -----------------------------------------------------------------------------------------------------

    def announced(self, at: int, vip: str, mac: bytes, kind: str, mac_class: str, grace: int, *, claims: bool) -> None:
        if not self.hears:
            return
        self.add("vip_announcements_total", vip=vip, kind=kind)
        if not claims:
            self._claims.pop((vip, mac), None)
            return
        last = self._claims.get((vip, mac))
        if last is None or at - last >= grace:
            self.add("vip_claims_total", vip=vip, **{"class": mac_class})
        self._claims[vip, mac] = at

    def sighted(self, vip: str, kind: str) -> None:
        if self.hears:
            self.add("vip_sightings_total", vip=vip, kind=kind)

    def ignored(self, reason: str) -> None:
        if self.hears:
            self.add("vip_exporter_ignored_frames_total", device="eth0", reason=reason)

    def moved(self, vip: str, *, handover: int | None) -> None:
        """On the wire; handover None: the old holder was not heard by this run."""
        self.add("vip_moves_total", vip=vip)
        self.add("vip_source_moves_total", vip=vip, source="wire")
        if handover is not None:
            self.handovers.append(max(0, handover))

    def deafen(self) -> None:
        self.hears = False
        self._claims.clear()

    # --- Kubernetes ---------------------------------------------------------------------------------------------------

    def write(self, at: int, vip: str, source: str, node: str) -> None:
        """A source says this from now on; empty: it names nobody."""
        said = self.said.setdefault((vip, source), Said())
        said.written = node
        if self.answers:
            self._hear(at, vip, source, said)

    def outage(self) -> None:
        self.answers = False

    def recover(self, at: int) -> None:
        self.answers = True
        for (vip, source), said in self.said.items():
            self._hear(at, vip, source, said)

    def _hear(self, at: int, vip: str, source: str, said: Said) -> None:
        if said.written in ("", said.heard):
            return
        if said.heard:
            self.add("vip_source_moves_total", vip=vip, source=source)
            if source == "lease" and vip in self.shared:
                self.add("vip_moves_total", vip=vip)
        said.heard, said.heard_at = said.written, at
        if source == "annotation" and vip in self._awaited and self._awaited[vip][0] == said.heard:
            self.lags.append(at - self._awaited.pop(vip)[1])

    def await_annotation(self, vip: str, node: str, first: int) -> None:
        """The wire goes over to this node, whose first announcement came then."""
        said = self.said[vip, "annotation"]
        self._awaited.pop(vip, None)
        if said.heard == node:
            self.lags.append(max(0, said.heard_at - first))
        else:
            self._awaited[vip] = (node, first)

    def next_run(self, remembered: dict[str, str] | None) -> Ledger:
        """The ledger of the next run of the exporter, which may remember the holder of each VIP."""
        said = {
            (vip, source): Said(written=one.written, heard=(remembered or {}).get(vip, ""))
            for (vip, source), one in self.said.items()
        }
        return Ledger(said=said, shared=self.shared)

    # --- the comparison -----------------------------------------------------------------------------------------------

    def differences(self, scraped: dict[Series, float]) -> Iterator[str]:
        """Every counter that is not what it must be, one line each."""
        counted = {key: value for key, value in scraped.items() if key[0] in COUNTED}
        for key in sorted(counted.keys() | self.counts.keys()):
            if self.counts[key] != counted.get(key, 0):
                yield f"{_shown(key)} is {counted.get(key, 0):.0f}, must be {self.counts[key]}"
        yield from _histogram("vip_handover_seconds", self.handovers, scraped)
        yield from _histogram("vip_annotation_lag_seconds", self.lags, scraped)


def _histogram(name: str, observed: list[int], scraped: dict[Series, float]) -> Iterator[str]:
    expected = {
        series(f"{name}_bucket", le=str(float(bound))): sum(value <= bound * SECOND for value in observed)
        for bound in BUCKETS
    }
    expected[series(f"{name}_bucket", le="+Inf")] = expected[series(f"{name}_count")] = len(observed)
    for key, value in expected.items():
        if scraped.get(key) != value:
            yield f"{_shown(key)} is {scraped.get(key)}, must be {value}"
    total, key = sum(observed) / SECOND, series(f"{name}_sum")
    if not math.isclose(scraped[key], total, rel_tol=1e-9, abs_tol=1e-6):
        yield f"{_shown(key)} is {scraped[key]}, must be {total}"


def _shown(key: Series) -> str:
    return key[0] + "{" + ",".join(f'{name}="{value}"' for name, value in key[1]) + "}"
