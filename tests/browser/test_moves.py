"""What happens in the lab, as the page shows it: a move, a split brain, sources that differ."""

from __future__ import annotations

import re
import socket
from contextlib import ExitStack

from playwright.sync_api import expect

from exporter.lab.network import inside, mac_of
from exporter.lab.program import PORT
from tests.browser import seen
from tests.browser.chromium import Tabs, with_streams_kept_back, without_streams
from tests.browser.examined import DIFFERENT, SMALL_AND_DARK, VIEWS, Album
from tests.browser.seen import SOON
from tests.browser.stage import Stage
from tests.e2e.conftest import GRACE
from tests.e2e.observers import SETTLE, VIP

STREAMS_PER_CLIENT = 8


def use_up_streams(scene: Stage, parts: ExitStack) -> None:
    """All that one client may have."""
    request = f"GET /live HTTP/1.1\r\nHost: 127.0.0.1:{PORT}\r\nAccept: text/event-stream\r\n\r\n".encode()
    for _ in range(STREAMS_PER_CLIENT):
        stream = parts.enter_context(
            inside(scene.lab.network.observer.namespace, lambda: socket.create_connection(("127.0.0.1", PORT)))
        )
        stream.sendall(request)
        assert stream.recv(15).startswith(b"HTTP/1.1 200 OK")


def test_a_move(scene: Stage, tabs: Tabs, album: Album) -> None:
    """Every page shows it without being loaded anew, however it hears of it; a screen reader says nothing else."""
    holder, other = scene.settled()
    with ExitStack() as parts:
        use_up_streams(scene, parts)
        streaming = tabs.open(scene.url)
        refused = tabs.open(scene.url, before=[without_streams], may_fail=True)
        crowded = tabs.open(scene.loopback_url, may_fail=True)
        kept_back = tabs.open(scene.url, before=[with_streams_kept_back])
        scriptless = tabs.open(scene.url, java_script_enabled=False)
        for tab in (streaming, refused, crowded, kept_back, scriptless):
            expect(seen.state(tab.page)).to_have_text("✓ held")
            expect(seen.holder(tab.page)).to_have_text(holder)
            expect(seen.summary(tab.page)).to_contain_text(f"{VIP} is held by {holder}")
        for tab in (streaming, refused, crowded, kept_back):
            expect(tab.page.locator("#live")).to_have_text("live")
            seen.mark(tab.page)
        expect(scriptless.page.locator("#live")).to_have_text("as of")
        expect(scriptless.page.locator("meta[http-equiv=refresh]")).to_have_count(1)
        expect(streaming.page).to_have_title(f"✓ {holder} holds {VIP} – vip-exporter")

        scene.move(holder, other)
        expect(seen.holder(streaming.page)).to_have_text(other, timeout=SOON)
        expect(seen.newest_event(streaming.page)).to_contain_text(f"moved from {holder} to {other}", timeout=SOON)
        expect(streaming.page).to_have_title(f"✓ {other} holds {VIP} – vip-exporter", timeout=SOON)
        line = streaming.page.locator("article .strip")
        expect(line).to_have_attribute("aria-label", re.compile(f"held by {other} for [0-9.]+ s$"), timeout=SOON)
        album.examine(streaming.page, "held", judged=VIEWS)
        for tab in (refused, crowded, kept_back, scriptless):  # which asks every 5 s
            expect(seen.holder(tab.page)).to_have_text(other, timeout=SOON + 5_000)
        album.photograph(scriptless.page, "without scripts")
        # They poll for as long as that, and what has been said is not said again.
        for tab in (streaming, refused, crowded, kept_back):
            said = tab.said()
            assert said[-1] == ["status", f"{VIP} is held by {other}"]
            assert said[:-1] in ([], [["status", f"{VIP} is moving"]])
            assert seen.is_marked(tab.page)
            expect(seen.stale(tab.page)).to_be_hidden()
        assert len(streaming.of_live("text/event-stream")) == 1
        assert streaming.of_live("application/json") == []
        for tab in (refused, crowded):
            assert len(tab.of_live("application/json")) >= 2
        assert kept_back.of_live("application/json")
        expect(kept_back.page.locator("#live")).to_have_text("live")


def test_a_split_brain(scene: Stage, tabs: Tabs, album: Album) -> None:
    """It is told in words at the top, in the title, in the card, and once to a screen reader; likewise its end."""
    nodes = scene.lab.nodes
    holder, other = scene.settled()
    tab = tabs.open(scene.url)
    page = tab.page
    outdated = tabs.open(scene.url)
    outdated.page.evaluate("document.documentElement.dataset.version = '0.0.0'")
    expect(seen.holder(page)).to_have_text(holder)
    seen.mark(page)
    seen.mark(outdated.page)

    nodes[other].split_brain()
    expect(seen.state(page)).to_have_text("→ moving", timeout=SOON)
    album.examine(page, "moving", views=DIFFERENT, judged=SMALL_AND_DARK)
    expect(seen.state(page)).to_have_text("✗ contested", timeout=GRACE * 1000 + SOON)
    expect(seen.summary(page)).to_contain_text(f"{VIP} is contested")
    expect(page.locator("#summary")).to_have_class("bad")
    expect(page).to_have_title(f"✗ contested {VIP} – vip-exporter")
    expect(page.locator("article .holder")).to_contain_text(holder)
    expect(page.locator("article .holder")).to_contain_text(other)
    expect(seen.claimants(page)).to_have_count(2)
    for node in (holder, other):
        claimant = seen.claimants(page).filter(has_text=node)
        expect(claimant.get_by_role("rowheader")).to_have_text(mac_of(node).hex(":"))
    expect(seen.newest_event(page)).to_contain_text(f"contested: {other}")
    assert tab.said() == [["status", f"{VIP} is moving"], ["status", f"{VIP} is contested"]]

    nodes[other].release()
    album.examine(page, "contested", judged=VIEWS)  # as it still is for the grace time
    expect(seen.state(page)).to_have_text("✓ held", timeout=GRACE * 1000 + SOON)
    expect(seen.holder(page)).to_have_text(holder)
    expect(seen.claimants(page)).to_have_count(1)
    expect(page).to_have_title(f"✓ {holder} holds {VIP} – vip-exporter")
    assert tab.said()[2:] == [["status", f"{VIP} is held by {holder}"]]
    assert seen.is_marked(page)
    # Meanwhile a page of another version of the exporter has loaded itself anew, once.
    expect(seen.state(outdated.page)).to_have_text("✓ held")
    assert not seen.is_marked(outdated.page)
    assert [request.is_navigation_request() for request in outdated.requests].count(True) == 2


def test_sources_that_differ(scene: Stage, tabs: Tabs, album: Album) -> None:
    """The one that differs is marked by a word, and what follows is listed, until they agree again."""
    holder, other = scene.settled()
    page = tabs.open(scene.url).page
    for name in ("wire", "lease", "annotation"):
        expect(seen.source(page, name)).to_contain_text("agrees")

    scene.lab.cluster.annotate(other)
    expect(seen.source(page, "annotation")).to_contain_text("≠ differs", timeout=SOON)
    expect(seen.source(page, "annotation")).to_contain_text(other)
    for name in ("wire", "lease"):
        expect(seen.source(page, name)).to_contain_text("= agrees")
    expect(page.locator("article .verdict")).to_have_text("THE SOURCES DISAGREE")
    expect(seen.summary(page)).to_contain_text("but the sources disagree")
    expect(page).to_have_title(f"! {VIP} needs a look – vip-exporter")
    expect(page.locator(".mismatches li").first).to_contain_text("mismatch", timeout=SETTLE * 1000 + SOON)
    album.examine(page, "disagreement", views=DIFFERENT, judged=SMALL_AND_DARK)

    scene.lab.cluster.annotate(holder)
    expect(seen.source(page, "annotation")).to_contain_text("= agrees", timeout=SOON)
    expect(page.locator(".mismatches")).to_have_count(0)
    expect(seen.newest_event(page)).to_contain_text("ended")
    expect(seen.summary(page)).to_have_text(f"✓{VIP} is held by {holder}")
