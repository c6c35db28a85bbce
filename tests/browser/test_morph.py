"""What comes in makes the page what the exporter would make anew, whatever stood there before."""

from __future__ import annotations

from playwright.sync_api import Page as Tab
from playwright.sync_api import Route

from exporter import __version__
from exporter.publish.page import Page
from exporter.publish.parts import difference
from tests.browser.chromium import Tabs
from tests.publish.page.test_page import MOMENTS

ANYWHERE = "http://page.invalid/"
# Let each message follow upon each, and tell which parts then stand in the page otherwise than they were sent.
_TAKE = """(messages) => {
  const bare = (element) => {
    element.querySelectorAll(".age").forEach((age) => age.replaceChildren());
    element.normalize();
    return element;
  };
  const wrong = [];
  for (const [before, first] of Object.entries(messages)) {
    for (const [after, then] of Object.entries(messages)) {
      take(first);
      take(then);
      for (const [id, html] of Object.entries(then.elements)) {
        const stands = bare(byId(id).cloneNode(true));
        if (!stands.isEqualNode(bare(parse(html)))) wrong.push(`${id}: ${after} after ${before}`);
      }
    }
  }
  return wrong;
}"""


def test_every_situation_follows_upon_every_other(tabs: Tabs) -> None:
    """Part for part."""

    def made_up(tab: Tab) -> None:
        def answer(route: Route) -> None:
            if route.request.url == ANYWHERE:
                route.fulfill(body=Page(lambda: MOMENTS["held"]).document(), content_type="text/html")
            else:
                route.abort()

        tab.route("**/*", answer)

    tab = tabs.open(ANYWHERE, before=[made_up], may_fail=True).page
    messages = {
        name: difference(None, Page(lambda seen=seen: seen).parts()) | {"version": __version__}
        for name, seen in MOMENTS.items()
    }
    assert tab.evaluate(_TAKE, messages) == []
