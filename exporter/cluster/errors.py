"""Why a conversation with an API server failed, in a vocabulary small enough for a metric label."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why a list or a watch failed; a metric label."""

    CONFIGURATION = "configuration"
    """No usable kubeconfig or service account, or a token that no header can carry."""
    UNREACHABLE = "unreachable"
    """Refused, reset, no route, no such host."""
    TLS = "tls"
    TIMEOUT = "timeout"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    """The server does not serve this resource at all: an absent object is an empty list."""
    GONE = "gone"
    """The version to watch from is too old: list again. Ordinary."""
    THROTTLED = "throttled"
    SERVER_ERROR = "server_error"
    REJECTED = "rejected"
    """Any other status, redirects included."""
    MALFORMED = "malformed"
    """The answer is not what a Kubernetes API server sends."""
    INTERNAL = "internal"
    """A defect of this program."""


STATUS_REASONS = {
    401: Reason.UNAUTHORIZED,
    403: Reason.FORBIDDEN,
    404: Reason.NOT_FOUND,
    410: Reason.GONE,
    429: Reason.THROTTLED,
}


class ClusterError(Exception):
    """A list or a watch failed."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class ConfigurationError(ClusterError, ValueError):
    """There is no usable configuration for reaching a cluster; the message names the place and the remedy."""

    def __init__(self, message: str) -> None:
        super().__init__(Reason.CONFIGURATION, message)


def status_reason(status: int) -> Reason:
    return STATUS_REASONS.get(status, Reason.SERVER_ERROR if status >= 500 else Reason.REJECTED)
