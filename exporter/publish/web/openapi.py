"""The document that describes the HTTP interface (OpenAPI 3.1), as an object for JSON. The text is `openapi.yaml`."""

from __future__ import annotations

from functools import cache
from importlib import resources

from exporter import __version__
from exporter.publish.records import Record


@cache
def document() -> Record:
    """Of this version of the program. Not to be changed: all share it."""
    import yaml

    text = resources.files(__package__).joinpath("openapi.yaml").read_text(encoding="utf-8")
    described: Record = yaml.safe_load(text)
    return described | {"info": {**described["info"], "version": __version__}}  # type: ignore[dict-item]
