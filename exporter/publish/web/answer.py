"""Put what is served into the bytes of an HTTP answer; opens no connection and reads no request."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, replace
from http import HTTPStatus

TEXT = "text/plain; charset=utf-8"
JSON = "application/json; charset=utf-8"
HTML = "text/html; charset=utf-8"

NOTHING_RUNS = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""The Content-Security-Policy of all that is no page."""
GZIP_FROM_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Answer:
    body: bytes
    content_type: str = TEXT
    status: HTTPStatus = HTTPStatus.OK
    gzipped: bool = False
    policy: str = NOTHING_RUNS


def accepts(header: str, *names: str) -> bool:
    """Whether a client with this Accept or Accept-Encoding header takes the first of these that it speaks of.

    Parameters but the weight are no matter, since nothing here comes in several versions (RFC 9110, section 12.5).
    """
    weights: dict[str, bool] = {}
    for choice in header.lower().replace(" ", "").split(","):
        name, *parameters = choice.split(";")
        weight = next((text[2:] for text in parameters if text.startswith("q=")), "1")
        weights[name] = weight.strip("0.") != "" or weights.get(name, False)
    return next((weights[name] for name in names if name in weights), False)


def squeezed(answer: Answer) -> Answer:
    """Compressed where that pays. The fastest level: the others cost more than the network they save."""
    if len(answer.body) <= GZIP_FROM_BYTES:
        return answer
    return replace(answer, body=gzip.compress(answer.body, compresslevel=1), gzipped=True)


def text(line: str, *, status: HTTPStatus = HTTPStatus.OK) -> Answer:
    """One line, whatever is in it."""
    return Answer(f"{' '.join(line.split())}\n".encode(errors="replace"), status=status)


def probe(good: bool, reason: str) -> Answer:
    """The state of health, with its reason in one line."""
    status = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
    return text(reason.strip() or ("ok" if good else "not ok"), status=status)


def as_json(value: object, *, status: HTTPStatus = HTTPStatus.OK) -> Answer:
    return Answer(f"{json.dumps(value, default=str)}\n".encode(), JSON, status)
