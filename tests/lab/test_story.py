"""The demo's telling: the walk without root, what it takes for a failure, and how it looks."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from exporter.cli import main
from exporter.lab import walk
from exporter.lab.story import STORY, Observed, lasts
from exporter.lab.terminal import Style, Terminal
from exporter.vip.model import EventName, State

GOOD = Observed(
    state="held",
    holder="node-2",
    mac="02:00:00:00:00:12",
    moves=1,
    contests=0,
    claimants=1,
    overflow=0,
    mismatches=0,
    heard=9,
)
MOVED = {"event": "vip_moved", "from": "node-1", "to": "node-2"}
CLEAN_MOVE = next(step.expected for step in STORY if step.expected.moved)


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DEMO_FAST", "KEEP", "NO_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)


def test_offline_walk_passes(capsys: pytest.CaptureFixture[str]) -> None:
    """Needs no privilege, and ends well."""
    assert main(["demo", "--offline"]) == 0
    out = capsys.readouterr().out
    assert f"At all {len(STORY)} steps the exporter said what it should" in out
    assert all(step.title in out for step in STORY)
    assert "run it as root" in out


def test_a_wrong_answer_fails_the_walk(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """An expectation that the exporter does not meet is named, and decides the exit status."""
    first = replace(STORY[0], expected=replace(STORY[0].expected, moves=7))
    monkeypatch.setattr(walk, "STORY", (first,))
    assert main(["demo", "--offline"]) == 1
    assert "✗ The first holder: moves is none, not 7" in capsys.readouterr().out


def test_falls_back_where_no_lab_can_be_built(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr(walk, "STORY", STORY[:1])
    assert main(["demo"]) == 0
    assert "The live lab cannot be built here: network namespaces need root." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("observed", "events", "problems"),
    [
        pytest.param(GOOD, [MOVED], [], id="as expected"),
        pytest.param(replace(GOOD, state="moving"), [MOVED], ["state is moving, not held"], id="state"),
        pytest.param(replace(GOOD, holder=""), [MOVED], ["holder is none, not node-2"], id="holder"),
        pytest.param(
            replace(GOOD, mac="02:00:00:00:00:11"),
            [MOVED],
            ["MAC is 02:00:00:00:00:11, not 02:00:00:00:00:12"],
            id="MAC",
        ),
        pytest.param(replace(GOOD, moves=2), [MOVED], ["moves is 2, not 1"], id="moves"),
        pytest.param(replace(GOOD, mismatches=1), [MOVED], ["mismatches is 1, not none"], id="mismatch"),
        pytest.param(replace(GOOD, claimants=3), [MOVED], ["claimants is 3, not 1 to 1"], id="claimants"),
        pytest.param(replace(GOOD, overflow=4), [MOVED], ["overflow is True, not none"], id="overflow"),
        pytest.param(replace(GOOD, series=52), [MOVED], ["52 series, more than 51"], id="series"),
        pytest.param(GOOD, [], ["events is none, not vip_moved"], id="event missing"),
        pytest.param(GOOD, [MOVED, MOVED], ["events is vip_moved vip_moved, not vip_moved"], id="event too many"),
        pytest.param(
            GOOD,
            [MOVED | {"from": ""}],
            ["move is ('', 'node-2'), not ('node-1', 'node-2')"],
            id="move from nowhere",
        ),
    ],
)
def test_differences(observed: Observed, events: list[dict[str, str]], problems: list[str]) -> None:
    assert CLEAN_MOVE.differences(observed, events) == problems


def test_every_event_of_the_story_is_described() -> None:
    """None is shown as bare fields."""
    fields = {
        "from": "node-1",
        "to": "node-2",
        "from_mac": "02:00:00:00:00:11",
        "to_mac": "06:00:00:00:00:00",
        "mac": "02:00:00:00:00:12",
        "handover_seconds": 1.0,
        "silence_seconds": 2.0,
    }
    told = {event for step in STORY for event in step.expected.events}
    assert {event: walk.describe({"event": event.value, **fields}) for event in told} == {
        EventName.VIP_SEEN: "vip_seen  node-2",
        EventName.VIP_MOVED: "vip_moved  node-1 → node-2 after 1.0 s",
        EventName.CONTEST_STARTED: "contest_started  node-1 against 06:00:00:00:00:00",
        EventName.CONTEST_ENDED: "contest_ended  06:00:00:00:00:00 is left",
        EventName.VIP_SILENT: "vip_silent  node-2",
        EventName.VIP_RETURNED: "vip_returned  node-2 after 2.0 s",
    }
    assert all(step.expected.state is not State.MOVING for step in STORY)


def test_fast_is_fast() -> None:
    assert lasts(1.0) <= 70


@pytest.mark.parametrize("columns", [20, 80, 120, 500])
def test_lines_fit_the_terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    """Down to a width at which two columns make sense, and never wider than one can read."""
    monkeypatch.setenv("COLUMNS", str(columns))
    stream = io.StringIO()
    terminal = Terminal(stream)
    terminal.heading()
    terminal.step(1, "A title", "word " * 50)
    terminal.wire(1, "word " * 30)
    terminal.said(12345.6, "word " * 30)
    terminal.outcome(2, "2 frames", "2 heard", "word " * 30, ["problem " * 20])
    terminal.chart({"node-1": (Style.CYAN, [(0, 3), (6, 60)]), "silent": (Style.RED, [])}, 60)
    longest = max(map(len, stream.getvalue().splitlines()))
    assert longest < min(max(columns, 72), 120)


@pytest.mark.parametrize(
    ("stream", "environ", "coloured"),
    [
        pytest.param(Tty(), {}, True, id="terminal"),
        pytest.param(io.StringIO(), {}, False, id="file"),
        pytest.param(Tty(), {"NO_COLOR": "1"}, False, id="NO_COLOR"),
        pytest.param(Tty(), {"TERM": "dumb"}, False, id="dumb"),
    ],
)
def test_colours_only_where_somebody_sees_them(stream: io.StringIO, environ: dict[str, str], coloured: bool) -> None:
    Terminal(stream, environ=environ).verdict("good", good=True)
    assert ("\033[32m" in stream.getvalue()) is coloured


def test_a_terminal_without_unicode_gets_ascii() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    Terminal(stream).verdict("node-1 → node-2 · é", good=True)
    assert raw.getvalue() == b"+ node-1 > node-2 - ?\n"
