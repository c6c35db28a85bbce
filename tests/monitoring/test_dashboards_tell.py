"""What the dashboards' panels say at the end of each scenario is what has happened in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from exporter.lab.network import mac_of
from tests.e2e.observers import ALL, VIP
from tests.monitoring.actions import BLIND, FLAPS
from tests.monitoring.conftest import Played
from tests.monitoring.grafana.seen import Pictures, Seen
from tests.monitoring.scenarios import STALE
from tests.monitoring.stage import STRANGER, Scenario, Span

pytestmark = pytest.mark.timeout(600)

SOURCES = ("annotation", "lease", "local", "wire")
BY_SOURCE = "Who holds it, by source"
CHECKS = ("address", "bound", "host", "lease", "mac")


@dataclass(frozen=True, slots=True)
class Both:
    """Both dashboards at the end of a scenario."""

    overview: Seen
    detail: Seen
    span: Span

    def is_held_by(self, node: str) -> None:
        """In all panels that tell of it."""
        assert self.detail.stat("State") == ["held"]
        assert self.detail.stat("Holder") == [node]
        assert self.overview.stat("Held") == ["1"]
        (row,) = self.overview.rows("VIPs")
        assert (row["VIP"], row["State"], row["Holder"], row["MAC"]) == (str(VIP), "held", node, mac_of(node).hex(":"))

    def count(self, state: str) -> str:
        """The overview's number of VIPs in a state."""
        (text,) = self.overview.stat(state)
        return text


def quiet(both: Both) -> None:
    both.is_held_by("node-1")
    (row,) = both.overview.rows("VIPs")
    assert (row["Nodes named"], row["Mismatches"], row["Moves"], row["Contests"]) == ("1", "0", "0", "0")
    assert (row["Heard by"], row["Watched by"]) == ("4", "4")
    assert both.detail.words(BY_SOURCE) == {f"{source}: node-1": "named" for source in SOURCES}
    assert both.detail.words("Capture") == {f"{observer}: eth0": "up" for observer in ALL}
    assert both.detail.words("Kubernetes") == dict.fromkeys(ALL, "up")
    assert both.detail.words("Mismatches by check") == dict.fromkeys(CHECKS, "agree")
    assert set(both.detail.words("Requirements").values()) == {"met"}
    assert both.detail.words("Bound on") == {"node-1: eth0": "bound"}
    assert both.overview.stat("Observers") == ["4", "4"]
    assert both.detail.marks == []


def move(both: Both) -> None:
    both.is_held_by("node-2")
    assert both.detail.stat("Moves") == ["1"]
    assert both.detail.words(BY_SOURCE) == {f"{source}: node-2": "named" for source in SOURCES}
    bars = both.detail.bars("Handovers of all VIPs")
    assert sorted(bars.values()) == ["0"] * (len(bars) - 1) + ["1"]
    assert sum(both.detail.lines("Moves and what is beside them")["moves"]) == 1


def restart(both: Both) -> None:
    """The counters of the observer have begun anew, and nothing more has moved."""
    both.is_held_by("node-2")
    assert both.detail.stat("Moves") == ["1"]
    assert both.overview.stat("Observers") == ["4", "4"]
    assert both.detail.words("State by observer") == dict.fromkeys(ALL, "held")


def withdrawn(both: Both) -> None:
    both.is_held_by("node-2")
    assert both.detail.stat("Moves") == ["1"]
    assert sum(both.detail.lines("Moves and what is beside them")["withdrawn claims"]) == 1
    assert max(both.detail.lines("Live claimants", both.span.begun)["live"]) == 2
    assert "moving" in both.overview.past_words("State of each VIP", both.span.begun)[str(VIP)]


def split_brain(both: Both) -> None:
    assert both.detail.stat("State") == ["contested"]
    assert (both.count("Contested"), both.count("Held")) == ("1", "0")
    assert both.detail.stat("Contests") == ["1"]
    assert both.detail.stat("Nodes named") == ["2"]
    claimants = {row["MAC"]: (row["Node"], row["Class"]) for row in both.detail.rows("Claimants")}
    assert claimants.items() >= {(mac_of(node).hex(":"), (node, "node")) for node in ("node-2", "node-3")}
    assert both.detail.lines("Live claimants")["live"][-1] == 2
    assert both.detail.words(BY_SOURCE).keys() >= {"lease: node-2", "local: node-2", "local: node-3"}
    assert both.detail.words("Bound on") == {"node-2: eth0": "bound", "node-3: eth0": "bound"}
    assert both.detail.words("State by observer") == dict.fromkeys(ALL, "contested")
    assert both.detail.stat("Moves") == ["1"]
    assert [mark.name for mark in both.detail.marks if mark.start >= both.span.begun].count("Contests") == 1


def foreign(both: Both) -> None:
    found = {row["MAC"]: (row["Node"], row["Class"], row["Seen by"]) for row in both.detail.rows("Claimants")}
    assert found[STRANGER.hex(":")] == ("not known", "foreign", "4")
    assert both.detail.lines("Live claimants")["live"][-1] == 2
    assert both.detail.stat("State") == ["moving"]
    assert both.count("Moving") == "1"


def probe(both: Both) -> None:
    both.is_held_by("node-2")
    rates = both.detail.lines("Other frames for the VIP", both.span.begun)
    assert max(rates["probe"]) > 0
    assert set(rates["own_probe"]) == {0}


def host_mismatch(both: Both) -> None:
    assert both.detail.words(BY_SOURCE).keys() >= {"annotation: node-1", "wire: node-2", "lease: node-2"}
    checks = both.detail.words("Mismatches by check")
    assert (checks["host"], checks["bound"], checks["address"]) == ("mismatch", "agree", "agree")
    assert int(both.detail.stat("Mismatches now")[0]) == list(checks.values()).count("mismatch")
    assert both.count("Mismatch") == "1"
    (row,) = both.overview.rows("VIPs")
    assert (row["State"], row["Holder"], row["Nodes named"]) == ("held", "node-2", "2")


def bound(both: Both) -> None:
    both.is_held_by("node-2")
    assert both.detail.words("Bound on") == {"node-1: eth0": "bound", "node-2: eth0": "bound"}
    assert both.detail.words("Mismatches by check") == dict.fromkeys(CHECKS, "agree") | {"bound": "mismatch"}


def blind(both: Both) -> None:
    """One deaf observer says so, and silences nothing."""
    both.is_held_by("node-2")
    capture = {row["Observer"]: row["Capture"] for row in both.overview.rows("Observers")}
    assert capture == dict.fromkeys(ALL, "up") | {BLIND: "down"}
    assert both.overview.stat("Observers") == ["3", "4"]
    assert both.detail.words("Capture")[f"{BLIND}: eth0"] == "down"
    assert both.detail.words("State by observer") == dict.fromkeys(ALL, "held") | {BLIND: "unknown"}
    assert both.detail.stat("Heard by") == ["3", "4"]
    assert (both.count("Silent"), both.count("Unknown")) == ("0", "0")


def kubernetes(both: Both) -> None:
    """What is heard goes on; what is known of Kubernetes grows old."""
    both.is_held_by("node-2")
    assert {row["Kubernetes"] for row in both.overview.rows("Observers")} == {"down"}
    assert both.detail.words("Kubernetes") == dict.fromkeys(ALL, "down")
    ages = both.detail.lines("Age of what Kubernetes said")
    assert min(age[-1] for age in ages.values()) > STALE
    assert both.count("Mismatch") == "0"
    assert both.detail.words(BY_SOURCE)["wire: node-2"] == "named"


def silent(both: Both) -> None:
    """Nobody announces it, though lease and annotation name a holder who has it bound."""
    assert both.detail.stat("State") == ["silent"]
    assert (both.count("Silent"), both.count("Held")) == ("1", "0")
    assert both.detail.words(BY_SOURCE) == {f"{source}: node-2": "named" for source in SOURCES if source != "wire"}
    assert set(both.overview.words("Which observer hears which VIP").values()) == {"does not hear"}
    graph = both.detail.lines("Time since the last announcement")
    assert graph["since the last announcement"][-1] > graph["silent beyond"][-1] == 10
    assert max(both.detail.lines("Time left of the Lease", both.span.start)["left"]) > 0


def unheld(both: Both) -> None:
    assert both.detail.stat("State") == ["silent"]
    assert both.detail.words(BY_SOURCE) == {}
    assert both.detail.words("Bound on") == {}
    assert both.detail.lines("Time left of the Lease")["left"][-1] < 0
    assert both.detail.stat("Holder") == []
    (row,) = both.overview.rows("VIPs")
    assert row["State"] == "silent"
    assert "Holder" not in row or row["Holder"] == "not known"


def flapping(both: Both) -> None:
    both.is_held_by("node-2")
    assert both.detail.stat("Moves") == [str(FLAPS + 1)]
    assert both.detail.lines("Live claimants")["live"][-1] >= 1
    named = both.detail.past_words(BY_SOURCE, both.span.begun)
    assert named.keys() >= {f"lease: node-{number}" for number in (1, 2, 3)}


TOLD: dict[Scenario, Callable[[Both], None]] = {
    Scenario.QUIET: quiet,
    Scenario.MOVE: move,
    Scenario.RESTART: restart,
    Scenario.WITHDRAWN: withdrawn,
    Scenario.SPLIT_BRAIN: split_brain,
    Scenario.FOREIGN: foreign,
    Scenario.PROBE: probe,
    Scenario.HOST_MISMATCH: host_mismatch,
    Scenario.BOUND: bound,
    Scenario.BLIND: blind,
    Scenario.KUBERNETES: kubernetes,
    Scenario.SILENT: silent,
    Scenario.UNHELD: unheld,
    Scenario.FLAPPING: flapping,
}


@pytest.mark.parametrize("scenario", Scenario, ids=lambda scenario: scenario.name.lower())
def test_the_panels_tell_what_happened(seen: Pictures, played: Played, scenario: Scenario) -> None:
    TOLD[scenario](Both(seen["vip-overview", scenario], seen["vip-detail", scenario], played.spans[scenario]))


@pytest.mark.parametrize("uid", ["vip-overview", "vip-detail"])
def test_moves_are_marked_where_they_happened(seen: Pictures, played: Played, uid: str) -> None:
    """Each mark stands at the time of a move and names from and to. Several within one step make one mark."""
    marks = [mark for mark in seen[uid, Scenario.FLAPPING].marks if mark.name == "Moves"]
    flapping = played.spans[Scenario.FLAPPING]
    assert sum(mark.start >= flapping.begun for mark in marks) >= 2
    for mark in marks:
        near = [move for move in played.moves if abs(mark.start - move.at) < 1.5]
        assert f"{VIP}: {near[0].old} → {near[0].new}" == mark.text, (mark, near)
    first = played.moves[0]
    assert any(abs(mark.start - first.at) < 1.5 for mark in marks)
