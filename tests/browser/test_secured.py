"""The page behind TLS and a password."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser import seen
from tests.browser.chromium import Tabs, without_streams
from tests.browser.examined import Album
from tests.browser.stage import HOSTILE_OBSERVER, PASSWORD, USER, Stage, until


def test_tls_and_a_password_that_is_changed(scene: Stage, tabs: Tabs, album: Album) -> None:
    """Page, stream and polling work; when the password is another one, both pages say what to do."""
    secured = scene.secured
    options = {"ignore_https_errors": True, "http_credentials": {"username": USER, "password": PASSWORD}}
    streaming = tabs.open(secured.url, **options)
    polling = tabs.open(secured.url, before=[without_streams], may_fail=True, **options)
    for tab in (streaming, polling):
        expect(tab.page.locator(".top b")).to_have_text(HOSTILE_OBSERVER)
        begun = tab.page.locator("#now").get_attribute("datetime")
        expect(tab.page.locator("#now")).not_to_have_attribute("datetime", begun or "", timeout=seen.SOON)
        expect(tab.page.locator("#live")).to_have_text("live")
        expect(seen.stale(tab.page)).to_be_hidden()
    assert streaming.of_live("application/json") == []
    assert polling.of_live("application/json")

    secured.set_password("another")
    expect(seen.stale(polling.page)).to_contain_text("Your login has expired", timeout=2 * seen.SOON)
    streaming.may_fail = True
    secured.program.stop()
    secured.program.start()
    until(secured.is_ready, within=10)
    album.examine(polling.page, "login expired")
    expect(seen.stale(streaming.page)).to_contain_text("Your login has expired", timeout=15_000)
    assert [role for role, _ in polling.said()].count("alert") == 1
