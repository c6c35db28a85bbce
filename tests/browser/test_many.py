"""A thousand VIPs: those in trouble first, found by typing; and the whole page by keyboard alone."""

from __future__ import annotations

import re
from ipaddress import IPv4Address
from statistics import median

from playwright.sync_api import Page, expect

from exporter.lab.network import mac_of
from tests.browser import seen
from tests.browser.chromium import Tabs
from tests.browser.examined import DIFFERENT, HEIGHT, SMALL_AND_DARK, Album
from tests.browser.seen import SOON
from tests.browser.stage import CONTESTED, DISAGREEING, MANY, SILENT, TROUBLED, UNKNOWN, Stage, held
from tests.e2e.conftest import GRACE

WELL = {str(address): node for address, node in held()}
# What typing costs, from the event to the rows being there, and to the next frame.
_TYPE = """async (words) => {
  const find = document.getElementById("find");
  const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const found = [];
  for (let end = 1; end <= words.length; end += 1) {
    await frame();
    find.value = words.slice(0, end);
    const begun = performance.now();
    find.dispatchEvent(new InputEvent("input", { bubbles: true }));
    const hidden = performance.now();
    await frame();
    found.push([hidden - begun, performance.now() - begun]);
  }
  return found;
}"""


def in_order(page: Page) -> list[str]:
    """The addresses of the rows that the filter lets through."""
    return seen.rows(page).locator("th a").all_text_contents()


def shown(page: Page) -> set[str]:
    return set(in_order(page))


def settled(scene: Stage, tabs: Tabs) -> Page:
    """The page, once every VIP is in the state that it was put into."""
    page = tabs.open(scene.many.url).page
    for state, addresses in (("contested", CONTESTED), ("silent", SILENT)):
        expect(page.locator(f"#count-{state}")).to_have_text(str(len(addresses)), timeout=GRACE * 1000 + 2 * SOON)
    return page


def test_find_among_a_thousand(scene: Stage, tabs: Tabs, album: Album) -> None:
    """By typing and by state, with the number found; the filter is in the address, and no update undoes it."""
    page = settled(scene, tabs)
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    expect(seen.rows(page)).to_have_count(MANY)
    expect(page.locator("#found")).to_have_text("1,000 VIPs")
    first = in_order(page)[:20]
    assert set(first) > set(map(str, TROUBLED))
    assert set(first[:2]) == set(map(str, CONTESTED))
    assert set(first[2:5]) == set(map(str, SILENT))
    expect(seen.summary(page)).to_contain_text("2 of 1,000 are contested, 3 silent, 1 unknown")
    album.examine(page, "a thousand VIPs", views=DIFFERENT, judged=(), whole=False)

    find = page.get_by_label("Filter")
    find.click()
    page.keyboard.type("10.1.2.17")
    wanted = {address for address in WELL if "10.1.2.17" in address}
    assert shown(page) == wanted
    expect(page.locator("#found")).to_have_text(f"{len(wanted)} of 1,000 shown")
    page.keyboard.type(" node-3")
    assert shown(page) == {address for address in wanted if WELL[address] == "node-3"}
    page.keyboard.press("Escape")
    expect(find).to_have_value("")
    expect(seen.rows(page)).to_have_count(MANY)
    expect(page).to_have_url(f"{scene.many.url}/")

    contested, silent = (page.get_by_role("button", name=state) for state in ("contested", "silent"))
    contested.click()
    assert shown(page) == set(map(str, CONTESTED))
    expect(contested).to_have_attribute("aria-pressed", "true")
    silent.click()
    find.fill("10.")
    assert shown(page) == set(map(str, CONTESTED)) | {str(one) for one in SILENT if one.version == 4}
    kept = f"{scene.many.url}/#find=10.&state=contested&state=silent"
    expect(page).to_have_url(kept)

    other = tabs.open(kept).page
    expect(seen.rows(other)).to_have_count(4)
    expect(other.get_by_label("Filter")).to_have_value("10.")
    expect(other.get_by_role("button", name="silent")).to_have_attribute("aria-pressed", "true")
    other.get_by_role("button", name="silent").click()
    other.get_by_role("button", name="contested").click()
    other.get_by_label("Filter").fill("0001")  # one or two of every state
    expect(seen.rows(other)).to_have_count(6)
    other.evaluate("document.querySelectorAll('#rows > [hidden]').forEach((row) => row.remove())")  # axe is slow
    album.examine(other, "a thousand VIPs filtered", views=DIFFERENT, judged=SMALL_AND_DARK)

    seen.row(page, CONTESTED[0]).get_by_role("link").click()
    expect(page).to_have_url(f"{scene.many.url}/?vip={CONTESTED[0]}")
    expect(seen.state(page)).to_have_text("✗ contested")
    expect(page.locator("article")).to_have_count(1)
    page.go_back()
    expect(seen.rows(page)).to_have_count(4)
    expect(page.get_by_label("Filter")).to_have_value("10.")

    page.goto(f"{scene.many.url}/#find=node-1")
    find = page.get_by_label("Filter")
    expect(find).to_have_value("node-1")
    times = page.evaluate(_TYPE, "10.1.2.17")
    filtered, painted = ([round(time[part], 1) for time in times] for part in (0, 1))
    print(f"\n1,000 VIPs: first contentful paint after {paint:.0f} ms")
    print(f"from a key to the rows being hidden: median {median(filtered)} ms, longest {max(filtered)} ms")
    print(f"from a key to the end of the next frame: median {median(painted)} ms, longest {max(painted)} ms")


def test_updates_leave_filter_and_focus_alone(scene: Stage, tabs: Tabs) -> None:
    """A row that moves to the top while its link has the focus keeps it; so does the field, with what stands there."""
    page = settled(scene, tabs)
    find = page.get_by_label("Filter")
    find.fill("10.1.0.")
    found = shown(page)
    address = IPv4Address("10.1.0.8")
    link = seen.row(page, address).get_by_role("link")
    link.focus()
    assert WELL[str(address)] == "node-3"
    scene.many.announce(address, "node-1")
    expect(seen.row(page, address)).to_contain_text("the sources disagree", timeout=SOON)
    assert seen.focused(page) == str(address)
    assert shown(page) == found
    assert str(address) in in_order(page)[:2]

    find.fill("node-3")
    page.keyboard.press("Home")
    leaving, coming = IPv4Address("10.1.0.18"), IPv4Address("10.1.0.19")
    found = shown(page)
    assert str(leaving) in found
    assert str(coming) not in found
    scene.many.announce(leaving, "node-1")
    scene.many.announce(coming, "node-3")
    expect(seen.row(page, leaving)).to_contain_text("node-1", timeout=SOON)
    expect(seen.row(page, coming)).to_contain_text("node-3", timeout=SOON)
    assert shown(page) == found - {str(leaving)} | {str(coming)}
    page.keyboard.type("x")
    expect(find).to_have_value("xnode-3")


def test_focus_stays_on_what_is_not_replaced(scene: Stage, tabs: Tabs) -> None:
    """The link back to all keeps the focus when something appears before it."""
    address, other = IPv4Address("10.1.0.28"), IPv4Address("10.1.0.38")
    page = tabs.open(f"{scene.many.url}/?vip={address}&vip={other}").page
    expect(seen.summary(page)).to_contain_text("Both VIPs are held")
    page.get_by_role("link", name="Show all").focus()
    scene.many.announce(address, "node-1")
    expect(seen.summary(page)).to_contain_text("needs a look", timeout=SOON)
    links = page.get_by_role("list", name="They need a look").get_by_role("link")
    expect(links).to_have_text(str(address))
    assert seen.focused(page) == "Show all"

    links.focus()
    scene.many.announce(other, "node-1")
    expect(links).to_have_text([str(address), str(other)], timeout=SOON)
    assert seen.focused(page) == str(address)


def test_typing_without_end(scene: Stage, tabs: Tabs) -> None:
    """A browser may refuse an address that changes too often: it changes when the typing stops, or is tried again."""
    page = tabs.open(scene.many.url).page
    page.evaluate("""() => {
      const replace = history.replaceState.bind(history);
      window.tried = 0;
      history.replaceState = (...given) => {
        tried += 1;
        if (tried === 1) throw new DOMException("too often", "SecurityError");
        replace(...given);
      };
    }""")
    page.get_by_label("Filter").press_sequentially("10.1.2.17 node-3")
    expect(page).to_have_url(f"{scene.many.url}/#find=10.1.2.17+node-3")
    assert page.evaluate("tried") == 2


def test_only_what_is_asked_for(scene: Stage, tabs: Tabs, album: Album) -> None:
    """As cards, with a way back; an address that is not watched is said to be none, and nothing is invented."""
    asked = (SILENT[0], SILENT[2], UNKNOWN[0], "203.0.113.9")
    page = tabs.open(f"{scene.many.url}/?{'&'.join(f'vip={one}' for one in asked)}").page
    expect(page.locator("article")).to_have_count(4)
    for address, words in zip(asked, ("○ silent", "○ silent", "? unknown", "? not watched"), strict=True):
        card = page.get_by_role("article", name=str(address))
        expect(card.locator(".badge")).to_have_text(words, timeout=SOON)
    album.examine(page, "silent, unknown and not watched", views=DIFFERENT, judged=SMALL_AND_DARK)
    page.get_by_role("link", name="Show all").click()
    expect(page).to_have_url(f"{scene.many.url}/")
    expect(seen.rows(page)).to_have_count(MANY)


def test_by_keyboard_alone(scene: Stage, tabs: Tabs) -> None:
    """Tab goes from the top to the bottom, every stop can be seen, and nothing needs a mouse."""
    page = settled(scene, tabs)
    stops = []
    for _ in range(20):
        page.keyboard.press("Tab")
        stops.append(seen.focused(page))
        top, left, bottom, outline = page.evaluate("""() => {
          const { top, left, bottom } = document.activeElement.getBoundingClientRect();
          return [top, left, bottom, getComputedStyle(document.activeElement).outlineStyle];
        }""")
        assert top >= 0 and left >= 0 and bottom <= HEIGHT, f"{stops[-1]} is out of sight"
        assert outline != "none", f"{stops[-1]} does not show that it has the focus"
    words = " | ".join(stops)
    assert re.match(r"Skip to the VIPs \| vip-exporter \| ", words), words
    first = in_order(page)[:8]
    assert stops[2:10] == first, words
    assert stops[10] == "find", words
    assert [stop.split()[1] for stop in stops[11:16]] == ["contested", "silent", "moving", "unknown", "held"], words
    assert stops[16:20] == first[:4], words

    page.reload()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert seen.focused(page) == "main"
    for _ in range(len(first) + 1):
        page.keyboard.press("Tab")
    page.keyboard.type("silent")
    assert shown(page) == set(map(str, SILENT))
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert shown(page) == set(map(str, CONTESTED))
    for _ in range(5):
        page.keyboard.press("Tab")
    address = seen.focused(page)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=2, name=address)).to_be_visible()


def test_what_a_screen_reader_finds(scene: Stage, tabs: Tabs) -> None:
    """Of a card: the address as a heading, state and holder in words, and tables and lists by their names."""
    page = tabs.open(f"{scene.many.url}/?vip={DISAGREEING[0]}", reduced_motion="reduce").page
    tree = page.locator("article").aria_snapshot()
    for words in (
        f'article "{DISAGREEING[0]}"',
        f'heading "{DISAGREEING[0]}" [level=2]',
        "paragraph: held",
        'table "What each source says"',
        'list "What it requires"',
        'heading "What happened" [level=3]',
        'img "Time line from ',
    ):
        assert words in tree, tree
    assert re.search(r'row "annotation node-3 differs', tree) or re.search(r'row "wire node-1 differs', tree), tree
    other = tabs.open(f"{scene.many.url}/?vip={CONTESTED[0]}").page
    expect(seen.claimants(other)).to_have_count(2)
    tree = other.locator("article").aria_snapshot()
    claimant = f'row "{mac_of("node-3").hex(":")} node-3 a node\'s"'
    for words in ("paragraph: contested", 'table "Who announces it"', claimant):
        assert words in tree, tree
    for role, name in (("banner", None), ("main", None), ("contentinfo", None), ("navigation", "The same as data")):
        expect(page.get_by_role(role, name=name)).to_have_count(1)
    assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
    assert page.evaluate("document.getAnimations().length") == 0
