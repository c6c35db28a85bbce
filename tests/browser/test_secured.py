"""The page behind TLS and a password."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser import seen
from tests.browser.chromium import Tabs, without_streams
from tests.browser.examined import DIFFERENT, SMALL_AND_DARK, Album
from tests.browser.stage import HOSTILE_OBSERVER, PASSWORD, SECURED, Stage


def test_tls_and_a_password_that_is_changed(scene: Stage, tabs: Tabs, album: Album) -> None:
    """Page, stream and polling work; when the password is another one, who asks is told what to do."""
    secured = scene.secured
    secured.set_password(PASSWORD)
    streaming = tabs.open(secured.url, **SECURED)
    polling = tabs.open(secured.url, before=[without_streams], may_fail=True, **SECURED)
    for tab in (streaming, polling):
        expect(tab.page.locator(".top b")).to_have_text(HOSTILE_OBSERVER)
        made = tab.page.locator("html").get_attribute("data-time")
        expect(tab.page.locator("#now")).not_to_have_attribute("datetime", made or "", timeout=seen.SOON)
        expect(tab.page.locator("#live")).to_have_text("live")
        expect(seen.stale(tab.page)).to_be_hidden()
    assert streaming.of_live("application/json") == []
    assert polling.of_live("application/json")
    streaming.page.close()

    secured.set_password("another")
    expect(seen.stale(polling.page)).to_contain_text("Your login has expired", timeout=2 * seen.SOON)
    expect(polling.page).to_have_title("⚠ login expired – vip-exporter")
    album.examine(polling.page, "login expired", views=DIFFERENT, judged=SMALL_AND_DARK)
    assert [role for role, _ in polling.said()] == ["alert"]
