"""Whatever others write into the cluster or into an address is shown as text, and does nothing."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser import seen
from tests.browser.chromium import Tabs
from tests.browser.examined import DIFFERENT, SMALL_AND_DARK, Album, fits_smallest, overflowing
from tests.browser.seen import SOON
from tests.browser.stage import Stage

IMAGE = '<img src=x onerror="alert(1)">'
SCRIPT = "\"><script>alert(1)</script><b 'x"
LONGEST = 253
HEBREW = "צומת-א"


def test_annotation_and_lease(scene: Stage, tabs: Tabs, album: Album) -> None:
    """Markup, a name without end, and one that is written from right to left."""
    holder, _ = scene.settled()
    cluster = scene.lab.cluster
    page = tabs.open(scene.url).page
    expect(seen.source(page, "annotation")).to_contain_text(holder)

    cluster.annotate(IMAGE)
    cluster.lease.acquire(SCRIPT)
    expect(seen.source(page, "annotation").locator(".node")).to_have_text(IMAGE, timeout=SOON)
    expect(seen.source(page, "lease").locator(".node")).to_have_text(SCRIPT, timeout=SOON)
    assert page.locator("main img, main script, main b, main [onerror]").count() == 0
    album.examine(page, "hostile", views=DIFFERENT, judged=SMALL_AND_DARK)

    scene.lab.nodes[holder].take_over()
    cluster.annotate("M" * 5000)
    cut_off = "M" * LONGEST
    expect(seen.source(page, "annotation").locator(".node")).to_have_text(cut_off, timeout=SOON)
    assert fits_smallest(page), overflowing(page)

    cluster.annotate(HEBREW)
    expect(seen.source(page, "annotation").locator(".node")).to_have_text(HEBREW, timeout=SOON)
    cluster.annotate("node-3\u202e2-edon")  # would turn around what follows it
    expect(seen.source(page, "annotation")).to_contain_text("names nobody", timeout=SOON)
    assert "\u202e" not in page.content()
    cluster.annotate(holder)
    fresh = tabs.open(scene.url).page  # made by the server as a whole, with what has happened until now
    expect(seen.holder(fresh)).to_have_text(holder)
    assert fresh.locator("main img, main script, main b, main [onerror]").count() == 0


def test_addresses_that_are_refused(scene: Stage, tabs: Tabs) -> None:
    """Nothing of them becomes part of a page."""
    page = tabs.open(scene.url, may_fail=True).page
    for address in (f"/?vip={IMAGE}", f"/{SCRIPT}", f"/?{SCRIPT}=1", f"/live?vip={SCRIPT}"):
        answer = page.goto(scene.url + address)
        assert answer is not None
        assert answer.status in (400, 404)
        assert answer.headers["content-type"].partition(";")[0] in ("application/json", "text/plain")
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_fragment(scene: Stage, tabs: Tabs) -> None:
    """It fills the filter, and is only compared."""
    page = tabs.open(f"{scene.many.url}/#find=<img src=x onerror=alert(1)>&state=<b>").page
    expect(page.get_by_label("Filter")).to_have_value("<img src=x onerror=alert(1)>")
    expect(seen.rows(page)).to_have_count(0)
    assert page.locator("main img, main b").count() == 0
