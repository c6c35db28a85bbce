"""Chromium inside the lab, and a watch over what its pages do: whom they ask, and whether anything goes wrong there.

It runs in the observer's namespace, so there is nothing outside the lab that it could reach.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Route, sync_playwright

PROGRAM = Path("/usr/bin/chromium")
FLAGS = (
    "--no-sandbox",  # it runs as root
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
DESKTOP = {"width": 1280, "height": 900}

# What a screen reader says by itself: the text of a live region whenever it becomes another one.
_EARS = """
addEventListener("DOMContentLoaded", () => {
  window.said = [];
  const last = new Map();
  const listen = () => {
    for (const region of document.querySelectorAll("[role=status], [role=alert], [aria-live]")) {
      const copy = region.cloneNode(true);
      copy.querySelectorAll("[aria-hidden=true]").forEach((silent) => silent.remove());
      const text = region.checkVisibility() ? copy.textContent.trim().replace(/\\s+/g, " ") : "";
      if (text && last.has(region) && last.get(region) !== text) said.push([region.getAttribute("role"), text]);
      last.set(region, text);
    }
  };
  listen();
  const all = { subtree: true, childList: true, characterData: true, attributes: true };
  new MutationObserver(listen).observe(document, all);
});
addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI, sample }) =>
  console.error(`against the policy: ${violatedDirective} ${blockedURI} ${sample}`));
"""


@contextmanager
def chromium(*, namespace: str, directory: Path) -> Iterator[Browser]:
    """A browser in a namespace; `directory` takes the script that puts it there."""
    assert PROGRAM.exists(), f"{PROGRAM} is missing: `make test` installs it, or `apt install chromium`"
    entrance = directory / "chromium"
    entrance.write_text(f'#!/bin/sh\nexec ip netns exec {namespace} {PROGRAM} "$@"\n')
    entrance.chmod(0o755)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=entrance, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


class Tab:
    """One page in a browser context of its own."""

    def __init__(self, page: Page, problems: list[str]) -> None:
        self.page = page
        self.requests: list[Request] = []
        self.may_fail = False
        """Loads may: the exporter is away, or is made to refuse."""
        self._problems = problems

    def of_live(self, accept: str) -> list[Request]:
        """The requests for what has changed that want this kind of answer."""
        return [
            request
            for request in self.requests
            if urlsplit(request.url).path == "/live" and accept in request.headers.get("accept", "")
        ]

    def said(self) -> list[list[str]]:
        """What a screen reader has said by itself so far, each with the role of who said it."""
        return self.page.evaluate("said")

    def heard(self, request: Request, origin: str) -> None:
        self.requests.append(request)
        if not request.url.startswith((f"{origin}/", "data:image/svg+xml,")):
            self._problems.append(f"asks somebody else: {request.url}")

    def told(self, message: ConsoleMessage) -> None:
        if self.may_fail and message.text.startswith("Failed to load resource"):
            return
        if message.type in ("error", "warning"):
            self._problems.append(f"{message.type} in the console: {message.text} ({message.location['url']})")


class Tabs:
    """Opens pages and collects what goes wrong in any of them."""

    def __init__(self, browser: Browser) -> None:
        self.problems: list[str] = []
        self._browser = browser
        self._contexts: list[BrowserContext] = []

    def open(
        self, url: str, *, before: Sequence[Callable[[Page], Any]] = (), may_fail: bool = False, **options: Any
    ) -> Tab:
        """Open an address.

        Args:
            before: done with the page before.
            may_fail: loads may fail in it.
            options: further ones of the browser context.
        """
        context = self._browser.new_context(**{"viewport": DESKTOP, **options})
        self._contexts.append(context)
        context.add_init_script(_EARS)
        tab = Tab(context.new_page(), self.problems)
        tab.may_fail = may_fail
        parts = urlsplit(url)
        context.on("request", lambda request: tab.heard(request, f"{parts.scheme}://{parts.netloc}"))
        context.on("console", tab.told)
        context.on("weberror", lambda error: self.problems.append(f"error in the script: {error.error}"))
        context.on("dialog", lambda dialog: self.problems.append(f"a dialog: {dialog.message}") or dialog.dismiss())
        for prepare in before:
            prepare(tab.page)
        tab.page.goto(url)
        return tab

    def close(self) -> None:
        for context in self._contexts:
            context.close()
        self._contexts.clear()


def with_streams_kept_back(page: Page) -> None:
    """As behind a proxy that passes an answer on only when it is complete."""

    def answer(route: Route) -> None:
        if "text/event-stream" not in route.request.headers.get("accept", ""):
            route.continue_()

    page.route("**/live*", answer)


def without_streams(page: Page) -> None:
    """As behind something that lets no stream through."""

    def answer(route: Route) -> None:
        if "text/event-stream" in route.request.headers.get("accept", ""):
            route.abort()
        else:
            route.continue_()

    page.route("**/live*", answer)
