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


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether a client with this header takes gzip (RFC 9110, section 12.5.3)."""
    weights: dict[str, bool] = {}
    for coding in accept_encoding.lower().replace(" ", "").split(","):
        name, _, weight = coding.partition(";q=")
        weights[name] = not weight or weight.strip("0.") != ""
    return weights.get("gzip", weights.get("*", False))


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
