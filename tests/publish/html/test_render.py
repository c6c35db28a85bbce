"""Rendering: everything is escaped, nothing may be missing, and the policy names the very style and script."""

from __future__ import annotations

import re
import subprocess
import sys
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser

import pytest
from jinja2 import UndefinedError

from exporter.publish.html.render import STYLE, fill, own, policy, render
from exporter.publish.html.words import Time
from exporter.publish.page import CONTENT_SECURITY_POLICY, SCRIPT, Page
from exporter.publish.parts import Parts
from tests.publish.page.moments import moment


class Inline(HTMLParser):
    """The text of inline styles and scripts, as a browser has it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs) -> None:
        self._inside = tag

    def handle_endtag(self, tag) -> None:
        self._inside = ""

    def handle_data(self, data) -> None:
        if self._inside in ("style", "script"):
            self.found[self._inside] = self.found.get(self._inside, "") + data


def hashed(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def test_the_policy_names_the_style_and_script_that_are_in_the_document() -> None:
    inline = Inline(Page(moment).document()).found
    directives = dict(part.split(" ", 1) for part in CONTENT_SECURITY_POLICY.split("; "))
    assert directives == {
        "default-src": "'none'",
        "style-src": hashed(inline["style"]),
        "script-src": hashed(inline["script"]),
        "connect-src": "'self'",
        "img-src": "data:",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_a_document_without_script_may_run_none() -> None:
    assert "script-src" not in policy(style="p {}")
    assert policy(style="p {}").startswith("default-src 'none'; ")


def test_style_and_script_end_where_they_end() -> None:
    assert "</" not in STYLE
    assert "</script" not in SCRIPT.lower()
    assert "<!--" not in SCRIPT


def test_the_script_puts_html_in_at_one_place_only() -> None:
    """Into a template, what the server made: nothing is built of data."""
    assert re.findall(r"\.(\w+HTML) = (\S+)", SCRIPT) == [("innerHTML", "html.trim();")]
    for way in ("outerHTML", "insertAdjacentHTML", "document.write", "eval", "Function("):
        assert way not in SCRIPT


def test_all_but_its_own_html_is_escaped() -> None:
    made = fill("text.html", "moment", Time("<i>", "\"'", "&"))
    assert made == (
        '<time datetime="&lt;i&gt;" data-age><span class="at"><span class="date">&#34;&#39;</span> &amp; UTC</span>'
        '<span class="age"></span></time>'
    )
    assert "&lt;" not in own("<")


def test_a_value_that_is_not_given_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        render("page.html", parts=Parts(0, {}).elements)


def test_a_start_does_not_wait_for_jinja2() -> None:
    code = "import sys, exporter.publish.page; sys.exit('jinja2' in sys.modules or 'markupsafe' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
