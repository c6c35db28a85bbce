"""The exporter stops answering while its page is open: that the data is old is said, and it ends by itself."""

from __future__ import annotations

import signal
import time
from ipaddress import IPv4Address

from playwright.sync_api import expect

from tests.browser import seen
from tests.browser.chromium import Tabs
from tests.browser.examined import Album
from tests.browser.stage import SECURED, Stage
from tests.e2e.observers import VIP

MOVED = IPv4Address("10.1.0.48")
SLEEP = "const now = Date.now; Date.now = () => now() + 3_600_000"
"""For an hour, as its page sees it."""
STALE_WITHIN = 10_000
BACK_WITHIN = 15_000
"""Milliseconds; a page asks at least every 10 s."""


def test_killed_frozen_and_stopped(scene: Stage, tabs: Tabs, album: Album) -> None:
    """One is killed and starts again after a move, one hangs while the reader sleeps, one comes with new passwords."""
    holder, other = scene.settled()
    many, secured = scene.many, scene.secured
    frozen_program, killed_program = many.program.process, scene.lab.program.process
    assert frozen_program is not None
    assert killed_program is not None
    killed = tabs.open(scene.url, may_fail=True)
    title, icon = killed.page.title(), seen.icon(killed.page)
    frozen = tabs.open(f"{many.url}/?vip={MOVED}", may_fail=True)
    stopped = tabs.open(secured.url, may_fail=True, **SECURED)
    for tab in (killed, frozen, stopped):
        expect(tab.page.locator("#live")).to_have_text("live")
        seen.mark(tab.page)
    expect(seen.holder(frozen.page)).to_have_text("node-3")
    begun = time.monotonic()
    try:
        killed_program.kill()
        frozen_program.send_signal(signal.SIGSTOP)
        assert secured.program.stop() == 0
        frozen.page.evaluate(SLEEP)
        killed_program.wait()
        for tab in (killed, frozen, stopped):
            left = STALE_WITHIN - (time.monotonic() - begun) * 1000
            expect(seen.stale(tab.page)).to_be_visible(timeout=left)
            expect(seen.stale(tab.page)).to_contain_text("No answer from the exporter for")
            expect(seen.stale(tab.page)).to_contain_text("What stands here is how it was at")
            expect(tab.page.locator("#live")).to_have_text("as of")
            expect(tab.page).to_have_title("⚠ no answer – vip-exporter")
            assert [role for role, _ in tab.said()] == ["alert"]
        streams = {tab: len(tab.of_live("text/event-stream")) for tab in (frozen, killed)}
        expect(seen.stale(frozen.page)).to_contain_text("for 1\u00a0h\u00a00\u00a0m")
        assert seen.icon(killed.page) != icon
        expect(killed.page.locator("article")).to_have_css("outline-style", "dashed")
        expect(seen.holder(killed.page)).to_have_text(holder)
        secured.set_password("another")
        secured.program.start()
        many.announce(MOVED, "node-1")
        album.examine(killed.page, "stale")
    finally:
        frozen_program.send_signal(signal.SIGCONT)
    scene.move(holder, other)
    scene.lab.program.start()
    for tab in (frozen, killed):
        expect(seen.stale(tab.page)).to_be_hidden(timeout=BACK_WITHIN)
        expect(tab.page.locator("#live")).to_have_text("live")
        assert seen.is_marked(tab.page), "it was loaded anew"
    expect(seen.holder(killed.page)).to_have_text(other, timeout=seen.SOON)
    expect(seen.state(killed.page)).to_have_text("✓ held", timeout=seen.SOON)
    expect(seen.holder(frozen.page)).to_have_text("node-1", timeout=seen.SOON)
    for tab in (killed, frozen):
        assert [role for role, _ in tab.said()].count("alert") == 1
        # And from then on by a stream again.
        assert len(tab.of_live("text/event-stream")) > streams[tab]
    assert killed.page.title() == title.replace(holder, other)
    assert seen.icon(killed.page) == icon
    assert killed.said()[-1] == ["status", f"{VIP} is held by {other}"]
    expect(seen.stale(stopped.page)).to_contain_text("Your login has expired", timeout=BACK_WITHIN)


def test_a_computer_that_slept(scene: Stage, tabs: Tabs) -> None:
    """Its page asks at once, and does not cry out before it had an answer; nor where only the clock was set."""
    tab = tabs.open(scene.url)
    expect(tab.page.locator("#live")).to_have_text("live")
    with tab.page.expect_request(lambda request: request.headers["accept"] == "application/json", timeout=2_000):
        tab.page.evaluate(SLEEP)
    expect(tab.page.locator("#live")).to_have_text("live")
    expect(tab.page.locator("#now .clock")).not_to_have_text(tab.page.locator("#now .clock").inner_text())
    assert tab.said() == []
