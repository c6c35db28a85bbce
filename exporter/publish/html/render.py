"""Fills templates with what they are to show; the only module that imports jinja2. It decides no words.

Whatever a template is given is escaped, but for HTML that came out of here before and the texts of this package's own
style and script. jinja2 is imported when the first page is made, since a start-up needs none.
"""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment

_HERE = Path(__file__).parent
STYLE = (_HERE / "style.css").read_text(encoding="utf-8")
"""The look of both."""


def render(template: str, **values: object) -> str:
    """The template's text, marked as HTML: given to another template, it is not escaped again.

    Raises:
        UndefinedError: the template wants a value that is not given.
    """
    from markupsafe import Markup

    return Markup(_environment().get_template(template).render(values))  # noqa: S704 - the template has escaped it


def fill(template: str, macro: str, *values: object) -> str:
    """What one macro of a template makes of these, likewise marked as HTML."""
    made: str = getattr(_module(template), macro)(*values)
    return made


def own(text: str) -> str:
    """A style or script of this package, marked as something not to be escaped. Never for what comes from outside."""
    from markupsafe import Markup

    return Markup(text)  # noqa: S704 - written by us


def policy(*, style: str, script: str = "", more: str = "") -> str:
    """The Content-Security-Policy of a document with this inline style and script and nothing from elsewhere.

    Args:
        more: further directives, each ended by a semicolon and a space.
    """
    allowed = f"style-src {_hash(style)}; " + (f"script-src {_hash(script)}; " if script else "")
    return f"default-src 'none'; {allowed}{more}base-uri 'none'; form-action 'none'"


def _hash(text: str) -> str:
    """How a policy names an inline element by its content (CSP level 3, section 2.3.1)."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


@cache
def _module(template: str) -> object:
    return _environment().get_template(template).module


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader([_HERE.parent / part / "templates" for part in ("html", "page", "report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
