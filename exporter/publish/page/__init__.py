"""The landing page: the VIPs as one plain table, made on the server, readable without scripts."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from exporter import __version__
from exporter.publish.records import ToWall, rfc3339
from exporter.vip.model import Nanoseconds
from exporter.vip.snapshot import Snapshot, VipSnapshot

_STYLE = """
:root { color-scheme: light dark; font-family: system-ui, sans-serif; line-height: 1.5 }
body { max-width: 72rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .4rem .8rem; border-bottom: 1px solid #8884 }
td, th { white-space: nowrap }
td.number { text-align: right; font-variant-numeric: tabular-nums }
code { font-family: ui-monospace, monospace }
.held { color: light-dark(#0a6b2d, #6fdc8c) } .contested { color: light-dark(#a2191f, #ff8389) }
.moving, .silent { color: light-dark(#8a5a00, #f1c21b) } .state { font-weight: 600 }
.scroll { overflow-x: auto }
"""
_COLUMNS = ("VIP", "State", "Holder", "MAC", "Since", "Sources differ", "Moves", "Contests")


def landing_page(snapshot: Snapshot, *, observer: str, to_wall: ToWall) -> str:
    """The whole document. Everything that comes from outside is escaped."""
    rows = "".join(_row(vip, to_wall) for vip in snapshot.vips)
    heads = "".join(f'<th scope="col">{column}</th>' for column in _COLUMNS)
    table = f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>vip-exporter</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="refresh" content="5"><style>{_STYLE}</style></head><body>'
        "<h1>Who holds the virtual IP</h1>"
        f"<p>Seen from <b>{escape(observer)}</b> at {_moment(to_wall(snapshot.at))}.</p>"
        + (table if snapshot.vips else "<p>No virtual IP is watched yet: no Service has told one.</p>")
        + '<p><a href="/metrics">Metrics</a> · <a href="/api/v1/vips">VIPs</a> and '
        '<a href="/api/v1/events">events</a> as JSON · <a href="/-/ready">readiness</a></p>'
        f"<p><small>vip-exporter {escape(__version__)}</small></p></body></html>"
    )


def _row(vip: VipSnapshot, to_wall: ToWall) -> str:
    return f"<tr>{''.join(_cells(vip, to_wall))}</tr>"


def _cells(vip: VipSnapshot, to_wall: ToWall) -> Iterator[str]:
    since = "" if vip.holder_since is None else _moment(to_wall(vip.holder_since))
    yield f'<th scope="row"><code>{escape(str(vip.address))}</code></th>'
    yield f'<td class="state {vip.state}">{vip.state}</td>'
    yield f"<td>{escape(vip.holder) or 'not known'}</td><td><code>{escape(vip.holder_mac)}</code></td>"
    yield f"<td>{since}</td><td>{', '.join(mismatch.check for mismatch in vip.mismatches) or 'no'}</td>"
    yield f'<td class="number">{vip.moves}</td><td class="number">{vip.contests}</td>'


def _moment(wall: Nanoseconds) -> str:
    """To the second, for people."""
    return rfc3339(wall)[:19].replace("T", " ") + " UTC"
