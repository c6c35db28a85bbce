"""The report of a capture, opened as the file that somebody got."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from playwright.sync_api import expect

from exporter.lab.network import NODES, mac_of
from exporter.wire import craft
from tests.browser.chromium import Tabs
from tests.browser.examined import Album
from tests.cli.test_replay import VIP, announce


def test_a_report_from_a_file(tmp_path: Path, tabs: Tabs, album: Album) -> None:
    """It shows move and contest, asks nobody for anything and runs no script, in both colours and on a phone."""
    one, two, three = map(mac_of, NODES)
    packets = [*announce(one, 0, 30), *announce(two, 31, 120), *announce(three, 60, 90)]
    capture = tmp_path / "<img src=x onerror=alert(1)>.pcap"
    craft.write_capture(capture, sorted(packets, key=lambda packet: packet[0]))
    intent = tmp_path / "intent.yaml"
    intent.write_text(
        "nodes:\n" + "".join(f"  - {{name: {name}, macs: ['{mac_of(name).hex(':')}']}}\n" for name in NODES)
    )
    command = [sys.executable, "-m", "exporter", "replay", str(capture), "--intent", str(intent), "--format", "html"]
    (tmp_path / "incident.html").write_bytes(subprocess.run(command, capture_output=True, check=True).stdout)

    tab = tabs.open(f"file://{tmp_path}/incident.html")
    main = tab.page.get_by_role("main")
    expect(main).to_contain_text("moved from node-1 to node-2")
    expect(main).to_contain_text("contested")
    expect(main).to_contain_text(str(VIP))
    expect(tab.page.locator("body")).to_contain_text("<img src=x onerror=alert(1)>.pcap")
    assert tab.page.locator("script, img, link").count() == 0
    album.examine(tab.page, "the report of a capture")
    assert [request.url for request in tab.requests] == [f"file://{tmp_path}/incident.html"]
