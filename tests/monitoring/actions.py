"""What is done to the lab in the scenes: to its network, its nodes, its exporters and its Kubernetes.

Each does one thing and returns at once, or as soon as it is done; nothing here looks whether it had an effect.
"""

from __future__ import annotations

import time

from exporter.lab.interfaces import change_address
from exporter.lab.repeater import Repeater
from exporter.lab.sender import Sender
from exporter.wire import craft
from tests.e2e.observers import PERIOD, VIP
from tests.monitoring.stage import STRANGER, Stage

BLIND = "node-3"
RESTARTED = "observer"
FLAPS = 12
FLAP_SECONDS = 2.0
"""From one move to the next."""


def nothing(stage: Stage) -> None:
    """Leave everything as it is."""


def restart(stage: Stage) -> None:
    program = stage.running.programs[RESTARTED]
    assert program.stop() == 0
    time.sleep(1.5)  # long enough for a scrape to fail
    program.start()
    program.wait_until_ready(str(VIP))


def send_once(stage: Stage) -> None:
    sender = Sender(stage.host("node-3"))
    sender.send(craft.announcement(VIP, sender.mac))
    sender.close()


def split(stage: Stage) -> None:
    stage.running.lab.nodes["node-3"].split_brain()


def unite(stage: Stage) -> None:
    stage.running.lab.nodes["node-3"].fall_silent()
    stage.running.lab.nodes["node-3"].unbind()


def announce_as_stranger(stage: Stage) -> None:
    sender = stage.outsider()
    frame = craft.announcement(VIP, STRANGER)
    announcing = Repeater(lambda: sender.send(frame), period=PERIOD, name="stranger")
    stage.parts.callback(sender.close)
    stage.parts.callback(announcing.stop)
    announcing.start()


def silence_stranger(stage: Stage) -> None:
    stage.parts.close()


def probe(stage: Stage) -> None:
    sender = stage.outsider()
    for _ in range(3):
        sender.send(craft.probe(VIP, STRANGER))
    sender.close()


def misname(stage: Stage) -> None:
    stage.running.lab.cluster.annotate("node-1" if stage.holder != "node-1" else "node-3")


def name_rightly(stage: Stage) -> None:
    stage.running.lab.cluster.annotate(stage.holder)


def bind_elsewhere(stage: Stage) -> None:
    change_address(stage.host("node-1"), VIP, bound=True)


def unbind(stage: Stage) -> None:
    change_address(stage.host("node-1"), VIP, bound=False)


def lose(stage: Stage) -> None:
    """The holder is killed, and somebody has cleaned up after it."""
    stage.running.lab.nodes[stage.holder].crash()
    stage.running.lab.nodes[stage.holder].unbind()


def flap(stage: Stage) -> None:
    others = {"node-1": "node-2", "node-2": "node-3", "node-3": "node-1"}
    for _ in range(FLAPS):
        due = time.monotonic() + FLAP_SECONDS
        stage.move_to(others[stage.holder])
        time.sleep(max(0.0, due - time.monotonic()))


def deafen(stage: Stage) -> None:
    stage.running.lab.network.set_down(BLIND)


def undeafen(stage: Stage) -> None:
    stage.running.lab.network.set_up(BLIND)


def take_kubernetes_away(stage: Stage) -> None:
    stage.running.lab.api.stop()


def bring_kubernetes_back(stage: Stage) -> None:
    stage.running.lab.api.start()


def fall_silent(stage: Stage) -> None:
    stage.running.lab.nodes[stage.holder].fall_silent()


def take_over(stage: Stage) -> None:
    stage.running.lab.nodes[stage.holder].take_over()
