"""The status page: one document made on the server, readable without scripts, and the parts of it that may change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

from exporter import __version__
from exporter.publish.html.render import STYLE, fill, own, policy, render
from exporter.publish.html.words import GLYPHS, Time
from exporter.publish.moment import Moment
from exporter.publish.page.card import Card
from exporter.publish.page.row import Row
from exporter.publish.page.view import WORST_FIRST, View, view
from exporter.publish.parts import Parts
from exporter.vip.model import IPAddress

SCRIPT = (Path(__file__).parent / "live.js").read_text(encoding="utf-8")
CONTENT_SECURITY_POLICY = policy(
    style=STYLE, script=SCRIPT, more="connect-src 'self'; img-src data:; frame-ancestors 'none'; "
)
"""For the header of the document's response."""


class Page:
    """The page as of now.

    Args:
        see: what there is to show. Called once for each document or set of parts, by whichever thread asks for it.
    """

    policy = CONTENT_SECURITY_POLICY

    def __init__(self, see: Callable[[], Moment]) -> None:
        self._see = see

    def document(self, vips: Sequence[IPAddress] = ()) -> str:
        """The whole HTML document, of these VIPs only if any are named."""
        seen = view(self._see(), vips)
        parts = _parts(seen)
        return render(
            "page.html",
            parts=parts.elements,
            cards=parts.lists["cards"],
            rows=parts.lists["rows"],
            states=[(state, GLYPHS[state]) for state in WORST_FIRST],
            observer=seen.health.observer,
            time=Time.of(seen.at),
            version=__version__,
            style=own(STYLE),
            script=own(SCRIPT),
        )

    def parts(self, vips: Sequence[IPAddress] = ()) -> Parts:
        """What of that document may change, as it is now."""
        return _parts(view(self._see(), vips))


def _parts(seen: View) -> Parts:
    cards = {one.id: _card(one) if isinstance(one, Card) else fill("card.html", "unwatched", one) for one in seen.cards}
    rows = {one.id: _row(one) for one in seen.rows}
    elements = {
        "title": fill("parts.html", "title", seen.summary),
        "icon": fill("parts.html", "icon", seen.summary),
        "summary": fill("parts.html", "summary", seen.summary, seen.narrowed),
        "warnings": fill("parts.html", "warnings", seen.warnings),
        **{f"count-{state}": fill("parts.html", "count", state, seen.counts.get(state, 0)) for state in WORST_FIRST},
        **cards,
        **rows,
        "health": fill("parts.html", "items", seen.health),
        "interfaces": fill("parts.html", "interfaces", seen.health),
        "resources": fill("parts.html", "resources", seen.health),
    }
    return Parts(seen.at, elements, {"cards": tuple(cards), "rows": tuple(rows)})


# Equal views are equal HTML, and most VIPs are quiet.


@lru_cache(64)
def _card(card: Card) -> str:
    return fill("card.html", "card", card)


@lru_cache(4096)
def _row(row: Row) -> str:
    return fill("row.html", "row", row)
