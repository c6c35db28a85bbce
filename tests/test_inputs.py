"""What feeds the core: the intent file's timeline beside a reload."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Event, Thread

from exporter.clock import Clock
from exporter.cluster.intent_file import IntentFile, read_intent_file
from exporter.config import Config
from exporter.inputs import Inputs
from exporter.reconciler import Reconciler
from exporter.vip.core import Core
from exporter.vip.model import Input, Mac, ServiceSeen


class SlowReconciler(Reconciler):
    """Takes its time over what a new file says, as it does with a thousand VIPs."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(Core(at=clock.now()), clock=clock, publish=lambda _: None, watch=lambda _vips, _nodes: None)
        self.hosts: list[str] = []
        self.at_the_new = Event()
        self.go_on = Event()

    def deliver(self, inputs: Sequence[Input]) -> None:
        said = [one.intent.vip_host for one in inputs if isinstance(one, ServiceSeen)]
        if "new" in said:
            self.at_the_new.set()
            self.go_on.wait(10)
        self.hosts += said
        super().deliver(inputs)


def intent(path: Path, host: str, *, later: str = "") -> IntentFile:
    path.write_text(f"""
vips:
- address: 10.0.0.5
  vipHost: {host}
  timeline: [{f"{{at: 0.01, vipHost: {later}}}" if later else ""}]
""")
    return read_intent_file(path)


def test_nothing_of_an_old_file_comes_after_a_new_one(tmp_path: Path) -> None:
    """A reload and the tick come from two threads, and an entry of the old timeline has just fallen due."""
    clock = Clock()
    reconciler = SlowReconciler(clock)
    inputs = Inputs(
        Config(capture_interface=("none0",), host_enabled=False, kubernetes_enabled=False),
        None,
        clock=clock,
        reconciler=reconciler,
        lacking=lambda _source, _reason: None,
    )
    inputs.replace_intent(intent(tmp_path / "old.yaml", "old", later="older"))
    due = clock.now() + 20_000_000
    reload = Thread(target=inputs.replace_intent, args=(intent(tmp_path / "new.yaml", "new"),))
    reload.start()
    assert reconciler.at_the_new.wait(10)
    while clock.now() < due:
        pass
    tick = Thread(target=inputs.tick)
    tick.start()
    tick.join(0.05)
    reconciler.go_on.set()
    reload.join(10)
    tick.join(10)
    assert reconciler.hosts[-1] == "new"


def test_configured_macs_count_without_kubernetes_too(tmp_path: Path) -> None:
    """With no intent file they are all that is known of nodes; with one, they add to its nodes."""
    clock, mac = Clock(), Mac(b"\x02\0\0\0\0\x01")
    (tmp_path / "intent.yaml").write_text("nodes: [{name: node-1.lab, addresses: [10.0.0.1]}, {name: node-2}]")
    for file, expected in (
        (None, {"node-1": ("02:00:00:00:00:01",)}),
        (read_intent_file(tmp_path / "intent.yaml"), {"node-1.lab": ("02:00:00:00:00:01",), "node-2": ()}),
    ):
        core = Core(at=clock.now())
        reconciler = Reconciler(core, clock=clock, publish=lambda _: None, watch=lambda _vips, _nodes: None)
        inputs = Inputs(
            Config(capture_interface=(), host_enabled=False, kubernetes_enabled=False, nodes=(("node-1", mac),)),
            file,
            clock=clock,
            reconciler=reconciler,
            lacking=lambda _source, _reason: None,
        )
        inputs.captures.clear()
        inputs.start()
        inputs.stop()
        assert {node.name: node.macs for node in core.snapshot().nodes} == expected
