"""The PromQL of the dashboards: selectors, and one rule for each kind of metric over observers. It draws nothing.

Several exporters see the same broadcasts, not always the same ones. So a counter is increased per series before the
maximum is taken (a restart of the observer with the highest count would invent moves), a requirement is as good as its
worst observer, silence needs a majority, any other state or mismatch only one, and the holder is the one that most
observers name. All of it reads what the exporters serve, so the dashboards need no recording rules, and `$instance` can
choose the view of one observer.
"""

from __future__ import annotations

from exporter.publish.catalogue import CATALOGUE, Type

OBSERVERS = 'job=~"$job", instance=~"$instance"'
VIP = 'vip=~"$vip"'
"""Also where one VIP is chosen: an address that is taken as a pattern matches no other address."""

RATE = "$__rate_interval"
RANGE = "$__range"
"""The visible time. Only for panels that count over it, and say so."""

STATES = ("unknown", "held", "moving", "contested", "silent")
"""A state's number is its place here."""

BUCKETS = ("1", "2", "5", "10", "20", "60", "300", "3600")
"""Upper bounds of the histograms of handover and annotation lag, seconds."""

_LABELS = {metric.name: metric.labels for metric in CATALOGUE} | {
    f"{metric.name}_{part}": metric.labels
    for metric in CATALOGUE
    if metric.type is Type.HISTOGRAM
    for part in ("bucket", "sum", "count")
}


def series(metric: str, *matchers: str) -> str:
    """The metric's series of the chosen jobs and instances, and of the chosen VIPs where it has any.

    Raises:
        KeyError: the exporter has no such metric.
    """
    vip = (VIP,) if "vip" in _LABELS[metric] else ()
    return f"{metric}{{{', '.join((OBSERVERS, *vip, *matchers))}}}"


def count_over(metric: str, *matchers: str, by: str = "vip", window: str = RATE) -> str:
    """How often, in the window. Prometheus extrapolates to its edges; what happens is whole, so this is rounded."""
    return f"round(max by ({by}) (increase({series(metric, *matchers)}[{window}])))"


def rate(metric: str, *, by: str) -> str:
    """How often a second, as heard by the observer that heard most."""
    return f"max by ({by}) (rate({series(metric)}[{RATE}]))"


def worst(metric: str, *matchers: str, by: str = "vip") -> str:
    """For mismatches and other gauges where one observer is enough."""
    return f"max by ({by}) ({series(metric, *matchers)})"


def state(by: str = "vip") -> str:
    """The state's number. With `--metrics.detail=summary` only the present state has a series: hence no zeros in it."""
    present = f"{series('vip_state')} == 1"

    def any_says(name: str) -> str:
        matcher = f'state="{name}"'
        return f"{STATES.index(name)} * max by ({by}) ({series('vip_state', matcher)} == 1)"

    silent = series("vip_state", 'state="silent"')
    return (
        f"({any_says('contested')}"
        f" or {any_says('moving')}"
        f" or {STATES.index('silent')} * (sum by ({by}) ({silent}) / count by ({by}) ({present}) > bool 0.5 == 1)"
        f" or {any_says('held')}"
        f" or 0 * max by ({by}) ({present}))"
    )


def vips_in(name: str) -> str:
    """How many VIPs are in the state; no value at all where there is no VIP."""
    return f"sum({state()} == bool {STATES.index(name)})"


def most_named() -> str:
    """The holder and MAC that most observers name, as labels; the value is how many do."""
    return f"topk by (vip) (1, count by (vip, holder, mac) ({series('vip_holder_info')}))"


def with_who(vector: str) -> str:
    """The vector with a label `who`: its `holder`, or its `mac` where that is empty."""
    return f'label_replace(label_replace({vector}, "who", "$1", "mac", "(.*)"), "who", "$1", "holder", "(.+)")'


def held_since() -> str:
    """Milliseconds. The earliest of the observers that name the present holder: one that restarted knows only later
    times, one that has heard nothing of the last move names another holder.
    """
    since = f"max by (job, instance, vip, holder, mac) ({series('vip_holder_info')}) and on (vip, holder, mac) "
    return (
        f"1000 * min by (vip) ({series('vip_holder_since_timestamp_seconds')}"
        f" and on (job, instance, vip) ({since}{most_named()}))"
    )


def last_handover() -> str:
    """Seconds, by the observer that saw the latest move: one that missed it still tells of the move before."""
    at = "vip_last_move_timestamp_seconds"
    latest = f"{worst(at, by='job, instance, vip')} == on (vip) group_left () {worst(at)}"
    return f"max by (vip) ({series('vip_last_handover_seconds')} and on (job, instance, vip) ({latest}))"


def nodes_named() -> str:
    """How many different nodes the sources of all observers name; a source that knows only a MAC names none."""
    named = series("vip_source_holder_info", 'holder!=""')
    return f"count by (vip) (count by (vip, holder) ({named}))"


def mismatches() -> str:
    """How many checks fail for any observer. In the summary only failing checks have a series: hence the zero."""
    return f"(sum by (vip) ({worst('vip_mismatch', by='vip, check')}) or 0 * {worst('vip_info')})"


def age(metric: str) -> str:
    """Seconds between the moment and the scrape that told of it, per series. Reckoned from now instead, every age would
    grow by up to a scrape interval, and a VIP that is well look silent.
    """
    return f"(timestamp({series(metric)}) - {series(metric)})"


def announcement_age() -> str:
    """Of the observer that heard it last; never below 0 where clocks differ."""
    return f"clamp_min(min by (vip) {age('vip_last_announcement_timestamp_seconds')}, 0)"


def silence_limit() -> str:
    """An age beyond this is silence: max(3P, 10 s). None for announcers that do not repeat themselves (P = 0)."""
    return f"clamp_min(3 * ({worst('vip_announcement_period_seconds')} > 0), 10)"


def lease_left() -> str:
    """Seconds that the Lease had left when it was scraped; negative: it had expired."""
    expiry = series("vip_lease_expiry_timestamp_seconds")
    return f"max by (vip) ({expiry} - timestamp({expiry}))"


def heard_by() -> str:
    """How many observers hear the VIP's announcements."""
    return f"sum by (vip) ({worst('vip_requirement_met', HEARD_HERE, by='job, instance, vip')})"


HEARD_HERE = 'requirement="heard_here"'


def watched_by() -> str:
    """How many observers watch the VIP."""
    return f"count by (vip) ({worst('vip_info', by='job, instance, vip')})"


def named(per_instance: str) -> str:
    """The same with the label `observer`. One name for each instance: a changed version or name makes no second one."""
    names = f"topk by (job, instance) (1, {worst('vip_exporter_build_info', by='job, instance, observer')})"
    return f"{per_instance} * on (job, instance) group_left (observer) {names}"


def between_bounds(metric: str) -> list[tuple[str, str]]:
    """(legend, query) for each bucket of the histogram: how many fell into it over the visible time."""

    def up_to(bound: str) -> str:
        # Written "1.0" by the exporter; a Prometheus may have made it "1".
        le = f'le=~"{bound}([.]0)?"' if bound != "+Inf" else 'le="+Inf"'
        return f"max(increase({series(f'{metric}_bucket', le)}[{RANGE}]))"

    found = [(f"up to {BUCKETS[0]} s", f"round({up_to(BUCKETS[0])})")]
    for low, high in zip(BUCKETS, (*BUCKETS[1:], "+Inf"), strict=True):
        legend = f"over {low} s" if high == "+Inf" else f"{low} – {high} s"
        found.append((legend, f"round({up_to(high)} - {up_to(low)})"))
    return found
