"""What the exporters say of themselves: blind, dropping frames, without Kubernetes."""

from __future__ import annotations

from tests.alerts.events import restart
from tests.alerts.fleet import DEVICE, NODE_1, NODE_2, NODE_3, NODES, VIP, count, fleet, state, wire
from tests.alerts.scenario import Story
from tests.alerts.timeline import minutes

AT = minutes(5)
END = AT + minutes(9)
LONG = AT + minutes(14)


def blind(story: Story, at: int, *, on: tuple[str, ...] = (), vip: str = VIP) -> Story:
    """Who cannot hear does not claim that nobody speaks."""
    story.at(at, "vip_exporter_capture_up", 0, on=on, device=DEVICE)
    state(story, at, "unknown", on=on, vip=vip)
    wire(story, at, None, on=on, vip=vip)
    return story.at(at, "vip_requirement_met", None, on=on, vip=vip, requirement="heard_here")


def seeing(story: Story, at: int, *, on: tuple[str, ...] = (), vip: str = VIP) -> Story:
    story.at(at, "vip_exporter_capture_up", 1, on=on, device=DEVICE)
    state(story, at, "held", on=on, vip=vip)
    wire(story, at, NODE_1, on=on, vip=vip)
    return story.at(at, "vip_requirement_met", 1, on=on, vip=vip, requirement="heard_here")


def one_blind(story: Story, observer: str, *, since: int = AT, until: int = END, device: str = DEVICE) -> Story:
    return story.fires(
        "VIPExporterBlind",
        since=since,
        until=until,
        observer=observer,
        device=device,
        description=(
            f"{observer} hears nothing on {device}: the interface is down or gone, or the exporter may not listen."
        ),
    )


def all_blind(story: Story, *, since: int = AT, until: int = END) -> Story:
    return story.fires(
        "VIPAllObserversBlind",
        since=since,
        until=until,
        description=f"All exporters of {story.job} are blind: nothing is known of any VIP but what Kubernetes says.",
    )


def test_one_observer_is_blind(story, play) -> None:
    """The others hear the VIP: it is neither silent, nor does the blind one say that it is not heard."""
    blind(story, AT, on=(NODE_2,))
    seeing(story, END, on=(NODE_2,))
    one_blind(story, NODE_2)
    play(story)


def test_all_observers_are_blind(story, play) -> None:
    blind(story, AT)
    seeing(story, END)
    for node in NODES:
        one_blind(story, node)
    all_blind(story)
    play(story)


def test_a_single_observer_is_blind(look, play) -> None:
    story = fleet(nodes=(NODE_1,), pods=look.pods)
    blind(story, AT)
    seeing(story, END)
    one_blind(story, NODE_1)
    all_blind(story)
    play(story)


def test_one_of_an_observers_two_interfaces_is_down(story, play) -> None:
    for node in NODES:
        story.at(0, "vip_exporter_capture_up", 1, on=(node,), device="mgmt-br.42")
    story.at(AT, "vip_exporter_capture_up", 0, on=(NODE_1,), device="mgmt-br.42")
    story.at(END, "vip_exporter_capture_up", 1, on=(NODE_1,), device="mgmt-br.42")
    one_blind(story, NODE_1, device="mgmt-br.42")
    play(story)


def test_all_blind_for_a_minute_passes(story, play) -> None:
    blind(story, AT)
    seeing(story, AT + 50)
    play(story)


def test_one_blind_for_four_minutes_passes(story, play) -> None:
    blind(story, AT, on=(NODE_3,))
    seeing(story, AT + minutes(3) + 50, on=(NODE_3,))
    play(story)


def test_a_blind_observer_restarts_and_stays_blind(look, story, play) -> None:
    """A new pod is no other observer: the alert goes on but for the pause."""
    blind(story, AT, on=(NODE_2,))
    restart(story, AT + minutes(8), NODE_2)
    state(story, AT + minutes(8), "unknown", on=(NODE_2,))
    one_blind(story, NODE_2, until=AT + minutes(8))
    story.ragged("VIPExporterBlind", since=AT, until=AT + minutes(14), observer=NODE_2, device=DEVICE)
    one_blind(story, NODE_2, since=AT + minutes(9), until=None)
    play(story.watched(until=AT + minutes(16)))


# --- dropped frames ---------------------------------------------------------------------------------------------------


def drop(story: Story, begin: int, end: int, *, frames: int, every: int, on: tuple[str, ...]) -> Story:
    for second in range(begin, end, every):
        count(story, second, "vip_exporter_capture_dropped_total", by=frames, on=on, device=DEVICE)
    return story


def test_frames_are_lost_for_long(story, play) -> None:
    """So many each quarter of a minute as come to 1000 in five minutes."""
    drop(story, AT, AT + minutes(20), frames=50, every=15, on=(NODE_2,))
    labels = {"observer": NODE_2, "device": DEVICE}
    story.fires(
        "VIPExporterCaptureDropping",
        since=AT,
        until=AT + minutes(20),
        description="node-2 lost about 1000 frames on mgmt-br within 5 minutes: announcements may be among them.",
        **labels,
    )
    story.ragged("VIPExporterCaptureDropping", since=AT + minutes(19), until=AT + minutes(25), **labels)
    play(story)


def test_a_frame_a_minute_is_enough(story, play) -> None:
    last = AT + minutes(15)
    drop(story, AT, last, frames=1, every=60, on=(NODE_2,))
    story.always("VIPExporterCaptureDropping", since=AT, delay=minutes(10), until=last)
    story.ragged("VIPExporterCaptureDropping", since=AT, until=None, observer=NODE_2, device=DEVICE)
    play(story)


def test_a_burst_of_lost_frames_passes(story, play) -> None:
    drop(story, AT, AT + minutes(3), frames=500, every=15, on=NODES)
    play(story.watched(until=AT + minutes(12)))


def test_frames_that_were_lost_long_ago_are_no_news(story, play) -> None:
    story.at(0, "vip_exporter_capture_dropped_total", 12345, device=DEVICE)
    restart(story, AT, NODE_3)
    play(story.watched(until=AT + minutes(12)))


# --- Kubernetes -------------------------------------------------------------------------------------------------------


def stale(story: Story, since: int, until: int | None, *lines: str) -> Story:
    return story.fires(
        "VIPExporterKubernetesStale",
        since=since,
        until=until,
        description="\n".join(
            [
                f"What exporters of {story.job} know from Kubernetes is old, so contradictions to it are not raised:",
                *lines,
            ]
        ),
    )


def test_requests_of_one_exporter_fail(story, play) -> None:
    story.at(AT, "vip_exporter_kubernetes_up", 0, on=(NODE_2,))
    story.at(LONG, "vip_exporter_kubernetes_up", 1, on=(NODE_2,))
    stale(story, AT, LONG, "- node-2:10150: requests fail")
    play(story)


def test_kubernetes_says_nothing_of_leases_any_more(look, story, play) -> None:
    """Requests succeed, yet nothing comes; how long ago is told to the second, so only the beginning is looked at."""
    story.at(AT, "vip_exporter_kubernetes_last_sync_timestamp_seconds", AT, on=(NODE_1, NODE_3), resource="leases")
    story.at(
        AT + minutes(19),
        "vip_exporter_kubernetes_last_sync_timestamp_seconds",
        lambda second: second - 1,
        on=(NODE_1, NODE_3),
        resource="leases",
    )
    story.ragged("VIPExporterKubernetesStale", since=AT + minutes(5), until=AT + minutes(19))
    moment = AT + minutes(17)
    stale(
        story,
        moment - look.interval * 2 - minutes(10),
        moment + 1 + look.interval,
        "- node-1:10150: leases not heard of for 17m 0s",
        "- node-3:10150: leases not heard of for 17m 0s",
    )
    play(story)


def test_what_kubernetes_says_is_old_after_five_minutes(story, play) -> None:
    """And is told ten minutes later."""
    story.at(AT, "vip_exporter_kubernetes_last_sync_timestamp_seconds", AT, on=(NODE_1,), resource="leases")
    since = AT + minutes(5)
    story.always("VIPExporterKubernetesStale", since=since + minutes(10), delay=0, until=since + minutes(15))
    story.ragged("VIPExporterKubernetesStale", since=since + minutes(15), until=None)
    play(story)


def test_kubernetes_is_away_for_eight_minutes(story, play) -> None:
    story.at(AT, "vip_exporter_kubernetes_up", 0)
    story.at(AT + minutes(8), "vip_exporter_kubernetes_up", 1)
    play(story)


def test_what_was_heard_four_minutes_ago_is_not_stale(story, play) -> None:
    """By the time of the next scrape it is nearly five."""
    for resource in ("services", "leases", "nodes"):
        story.at(
            0,
            "vip_exporter_kubernetes_last_sync_timestamp_seconds",
            lambda second: second - 235,
            resource=resource,
        )
    play(story.watched(until=minutes(25)))


def test_without_kubernetes_nothing_is_stale(story, play) -> None:
    story.without(0, "vip_exporter_kubernetes_up").without(0, "vip_exporter_kubernetes_last_sync_timestamp_seconds")
    play(story.watched(until=minutes(20)))
