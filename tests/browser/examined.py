"""Looks at a page in every size and colour: pictures of it, what axe finds, and whether it fits. Writes build/page/."""

from __future__ import annotations

import html
import re
import shutil
from pathlib import Path

from axe_playwright_python.base import AxeResults
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

REPORT = Path(__file__).parents[2] / "build" / "page"
WIDE, PHONE, SMALLEST = 1280, 375, 320
HEIGHT = 900
VIEWS = ((WIDE, "light"), (WIDE, "dark"), (PHONE, "light"), (PHONE, "dark"))
DIFFERENT = (VIEWS[0], VIEWS[-1])
SMALL_AND_DARK = VIEWS[-1:]

_AXE = Axe()
_PAGE = """<!doctype html>
<meta charset="utf-8">
<title>The status page in every situation</title>
<style>
body {{ background: #777; color: #fff; font: 15px sans-serif; margin: 2em; }} a {{ color: inherit }}
div {{ display: flex; gap: 1em; align-items: start; overflow-x: auto }}
img {{ height: 900px; object-fit: cover; object-position: top }}
</style>
<h1>The status page in every situation</h1>
<ul>{contents}</ul>
{pictures}
"""


class Album:
    """Pictures by situation, in the order in which they were taken."""

    def __init__(self) -> None:
        shutil.rmtree(REPORT, ignore_errors=True)
        REPORT.mkdir(parents=True)
        self._situations: list[str] = []

    def examine(
        self,
        page: Page,
        situation: str,
        *,
        views: tuple[tuple[int, str], ...] = VIEWS,
        judged: tuple[tuple[int, str], ...] = DIFFERENT,
        whole: bool = True,
    ) -> None:
        """Take pictures, and assert that axe finds nothing and that the page is nowhere wider than the screen.

        Args:
            views: in which to take pictures.
            judged: by axe, of these; each takes a second, and with a thousand rows half a minute.
            whole: the pictures show all of the page, not only what fits the window.
        """
        self._situations.append(situation)
        for width, colour in views:
            name = self._picture(page, width, colour, whole=whole)
            assert overflowing(page) == [], f"{name} does not fit"
            if (width, colour) in judged:
                faults = axe(page)
                assert not faults.violations_count, f"{name}: {faults.generate_report()}"
        assert fits_smallest(page), f"{situation} does not fit a width of {SMALLEST}: {overflowing(page)}"
        page.set_viewport_size({"width": WIDE, "height": HEIGHT})
        page.emulate_media(color_scheme="light")

    def photograph(self, page: Page, situation: str) -> None:
        """Take pictures only: without scripts, axe cannot judge."""
        self._situations.append(situation)
        for width, colour in DIFFERENT:
            self._picture(page, width, colour)

    def _picture(self, page: Page, width: int, colour: str, *, whole: bool = True) -> str:
        """Of the last situation; its name."""
        situation = re.sub("[^A-Za-z0-9]+", "-", self._situations[-1])
        name = f"{len(self._situations):02}-{situation}-{width}-{colour}.png"
        page.set_viewport_size({"width": width, "height": HEIGHT})
        page.emulate_media(color_scheme=colour)
        page.screenshot(path=REPORT / name, full_page=whole)
        return name

    def write(self) -> None:
        """The page with all of them."""
        contents, pictures = [], []
        for number, situation in enumerate(self._situations, 1):
            title = html.escape(situation)
            contents.append(f'<li><a href="#s{number}">{title}</a></li>')
            shown = "".join(
                f'<a href="{path.name}"><img src="{path.name}" alt="{path.stem}" loading="lazy"></a>'
                for path in sorted(REPORT.glob(f"{number:02}-*.png"))
            )
            pictures.append(f'<h2 id="s{number}">{title}</h2><div>{shown}</div>')
        page = _PAGE.format(contents="\n".join(contents), pictures="\n".join(pictures))
        (REPORT / "index.html").write_text(page, encoding="utf-8")


def axe(page: Page) -> AxeResults:
    if not page.evaluate("'axe' in window"):
        page.evaluate(_AXE.axe_script)
    return AxeResults(page.evaluate("axe.run({ resultTypes: ['violations'], preload: false })"))


def fits_smallest(page: Page) -> bool:
    page.set_viewport_size({"width": SMALLEST, "height": HEIGHT})
    return overflowing(page) == []


def overflowing(page: Page) -> list[str]:
    """Where the page is wider than the window: which elements stand out; else nothing."""
    return page.evaluate("""() => {
      const width = document.documentElement.clientWidth;
      if (document.documentElement.scrollWidth <= width) return [];
      return [...document.querySelectorAll("body *")]
        .filter((one) => one.getBoundingClientRect().right > width)
        .map((one) => `${one.tagName}.${one.className} #${one.id}: ${one.getBoundingClientRect().right}`);
    }""")
