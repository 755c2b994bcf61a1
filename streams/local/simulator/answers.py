"""Answers in Genesys Cloud's shape: its error bodies, its correlation id."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from email.utils import formatdate
from typing import Any

import msgspec
from aiohttp import web

from streams.local.simulator.ratelimit import LIMIT_KEY

CORRELATION_ID = "ININ-Correlation-Id"

_encode = msgspec.json.Encoder().encode

# Status -> Genesys' error code and message.
_ERRORS = {
    400: ("bad.request", "The request could not be understood by the server."),
    401: ("bad.credentials", "Invalid login credentials."),
    403: (
        "missing.any.permissions",
        "Unable to perform the requested action. You must have at least one of the following "
        "permissions assigned: [interaction:write]",
    ),
    404: ("not.found", "The requested resource was not found."),
    405: ("method.not.allowed", "The method is not allowed here."),
    409: ("conflict", "The interaction is being modified by another request."),
    410: ("gone", "The interaction is no longer available."),
    412: ("precondition.failed", "The interaction was modified since it was read."),
    415: ("unsupported.media.type", "The content type must be application/json."),
    500: ("internal.server.error", "The server encountered an unexpected condition."),
    502: ("bad.gateway", "An upstream service gave no valid answer."),
    503: ("service.unavailable", "Service Unavailable - The server is currently unavailable."),
    504: ("gateway.timeout", "The request timed out."),
}


class Correlation:
    """Ids for ``ININ-Correlation-Id``: unique in the process, cheaper than a random one each."""

    def __init__(self) -> None:
        self._last = uuid.uuid4().int

    def next(self) -> str:
        self._last = (self._last + 1) % 2**128
        return str(uuid.UUID(int=self._last))


def accepted(correlation_id: str, headers: Mapping[str, str]) -> web.Response:
    """202 without a body: what was asked for will show later."""
    return web.Response(status=202, headers={CORRELATION_ID: correlation_id, **headers})


def success(body: bytes, correlation_id: str, headers: Mapping[str, str]) -> web.Response:
    """200 with JSON."""
    return _answer(200, body, correlation_id, headers)


def error(
    status: int,
    correlation_id: str,
    *,
    message: str | None = None,
    code: str | None = None,
    retry_after: int | None = None,
    retry_after_date: bool = False,
    allowed: int = 0,
    headers: Mapping[str, str] | None = None,
    now: float = 0.0,
) -> web.Response:
    """An error as Genesys Cloud words it.

    ``message`` and ``code`` replace the usual ones. ``retry_after``: seconds, sent as an HTTP date
    counted from ``now`` (epoch seconds) if ``retry_after_date``. ``allowed``: the limit a 429
    speaks of.
    """
    usual_code, usual = _ERRORS.get(status, ("unknown.error", "Something went wrong."))
    body: dict[str, Any] = {
        "message": message or usual,
        "code": code or usual_code,
        "status": status,
    }
    sent = dict(headers or {})
    if status == 429:
        body = _too_many_requests(retry_after, allowed)
    if retry_after is not None:
        date = formatdate(now + retry_after, usegmt=True)
        sent["Retry-After"] = date if retry_after_date else str(retry_after)
    body |= {"contextId": correlation_id, "details": [], "errors": []}
    return _answer(status, _encode(body), correlation_id, sent)


def _too_many_requests(retry_after: int | None, allowed: int) -> dict[str, Any]:
    wording = "Rate limit exceeded the maximum. Retry the request in [{}] seconds"
    seconds = str(retry_after or 0)
    return {
        "message": wording.format(seconds),
        "code": "too.many.requests.retry.after",
        "status": 429,
        "messageWithParams": wording.format("{retryAfter}"),
        "messageParams": {"retryAfter": seconds},
        "limit": {"key": LIMIT_KEY, "namespace": "platform.api", "value": allowed},
    }


def of_any(
    status: int, body: bytes, correlation_id: str, headers: Mapping[str, str]
) -> web.Response:
    """An answer with this JSON as its body, whatever it says."""
    return _answer(status, body, correlation_id, headers)


def refused_client(correlation_id: str, why: str, description: str) -> web.Response:
    """The login host's refusal, in OAuth's shape: ``invalid_client`` is 401, the rest 400."""
    body = {"error": why, "description": description, "error_description": description}
    status = 401 if why == "invalid_client" else 400
    return _answer(status, _encode(body), correlation_id, {})


def token(
    value: str, lifetime: int, correlation_id: str, refresh_token: str | None = None
) -> web.Response:
    """A token; with a user's grant the refresh token that is good from now on."""
    body: dict[str, Any] = {"access_token": value, "token_type": "bearer", "expires_in": lifetime}
    if refresh_token is not None:
        body["refresh_token"] = refresh_token
    return _answer(200, _encode(body), correlation_id, {"Cache-Control": "no-store"})


def _answer(
    status: int, body: bytes, correlation_id: str, headers: Mapping[str, str]
) -> web.Response:
    return web.Response(
        status=status,
        body=body,
        headers={"Content-Type": "application/json", CORRELATION_ID: correlation_id, **headers},
    )
