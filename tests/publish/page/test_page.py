"""The landing page: every VIP in words, and nothing from outside as markup."""

from __future__ import annotations

from html.parser import HTMLParser
from ipaddress import ip_address

from exporter.publish.page import landing_page
from exporter.vip.core import Core
from exporter.vip.model import SECOND, Kind, ServiceIntent, ServiceRef, ServiceSeen, Sighting, parse_mac

VIP = ip_address("192.0.2.100")


class Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.add(tag)

    def handle_data(self, data) -> None:
        self.cells.append(data)


def read(core: Core, observer: str = "node-1") -> Text:
    parser = Text()
    parser.feed(landing_page(core.snapshot(), observer=observer, to_wall=lambda at: at))
    return parser


def test_a_held_vip() -> None:
    core = Core(at=0, listening=True)
    core.observe(ServiceSeen(0, ServiceIntent(ServiceRef("kube-system", "ingress-expose"), (VIP,), vip_host="node-2")))
    core.observe(Sighting(5 * SECOND, VIP, Kind.REQUEST, parse_mac("02:00:00:00:00:0a")))
    cells = read(core).cells
    assert {"192.0.2.100", "held", "node-2", "02:00:00:00:00:0a", "1970-01-01 00:00:05 UTC"} <= set(cells)


def test_without_a_vip_it_says_so() -> None:
    assert any("No virtual IP is watched yet" in cell for cell in read(Core(at=0)).cells)


def test_markup_from_outside_is_text() -> None:
    """vipHost comes from an annotation, the observer's name from a variable."""
    core = Core(at=0, listening=True)
    hostile = "<script>alert(1)</script>"
    core.observe(ServiceSeen(0, ServiceIntent(ServiceRef("kube-system", "x"), (VIP,), vip_host=hostile)))
    page = read(core, observer=hostile)
    assert "script" not in page.tags
    assert page.cells.count(hostile) == 2
