"""The page's parts, as the tests speak of them."""

from __future__ import annotations

from playwright.sync_api import Locator, Page

from exporter.publish.html.words import element_id
from exporter.vip.model import IPAddress

SOON = 5_000
"""Milliseconds within which what has happened is to be seen."""


def holder(page: Page) -> Locator:
    """In large type; of a page with one card, as all below."""
    return page.locator("article .holder > span:first-child")


def state(page: Page) -> Locator:
    return page.locator("article .badge")


def source(page: Page, name: str) -> Locator:
    """The row of a source."""
    return page.locator(".sources tbody tr").filter(has=page.get_by_role("rowheader", name=name, exact=True))


def claimants(page: Page) -> Locator:
    return page.locator(".claimants tbody tr")


def newest_event(page: Page) -> Locator:
    return page.locator(".events li").first


def summary(page: Page) -> Locator:
    return page.get_by_role("heading", level=1)


def icon(page: Page) -> str | None:
    """The picture in the row of tabs."""
    return page.locator("#icon").get_attribute("href")


def stale(page: Page) -> Locator:
    """The banner that says the data is old."""
    return page.get_by_role("alert")


def rows(page: Page) -> Locator:
    """Of the table of many, those that the filter lets through."""
    return page.locator("#rows > tr:not([hidden])")


def row(page: Page, address: IPAddress) -> Locator:
    return page.locator(f"#{element_id(address)}")


def focused(page: Page) -> str:
    """What has the focus, as one would call it."""
    return page.evaluate("""() => {
      const one = document.activeElement;
      return one === document.body ? "nothing" : one.getAttribute("aria-label") || one.id || one.textContent.trim();
    }""")


def mark(page: Page) -> None:
    """So that a load of the page anew would be noticed."""
    page.evaluate("window.marked = true")


def is_marked(page: Page) -> bool:
    return bool(page.evaluate("window.marked ?? false"))
