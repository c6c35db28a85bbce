"""The files as delivered: the samples are accepted, and what is exposed is as little as the documentation says."""

from __future__ import annotations

import re
import subprocess

from tests.deploy.systemd.machine import DEPLOY, ROOT, UNIT

CHECK = ("/opt/vip-exporter/bin/vip-exporter", "--config.check", "--config.file=/etc/vip-exporter/config.yaml")


def test_the_samples_are_accepted(host) -> None:
    assert host.run(*CHECK) == "the configuration is good\n"


def test_so_is_each_line_of_them_that_is_commented_out(changed) -> None:
    _, _, settings = (DEPLOY / "config.yaml").read_text().partition("\n")
    changed.write("/etc/vip-exporter/config.yaml", re.sub(r"(?m)^# ", "", settings))
    changed.write("/etc/vip-exporter/web/web.yaml", "")
    assert changed.run(*CHECK) == "the configuration is good\n"
    assert "capture:" in changed.path("/etc/vip-exporter/config.yaml").read_text()


def test_the_exposure_is_no_higher_than_documented() -> None:
    said = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(UNIT)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    (documented,) = re.findall(r"exposure level .*: ([0-9.]+) OK", (ROOT / "docs" / "systemd.md").read_text())
    (found,) = re.findall(r"exposure level .*: ([0-9.]+)", said)
    assert float(found) <= float(documented), said
