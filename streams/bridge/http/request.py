"""Judges the head of a request. Plain functions: no sockets, no Kafka, no clock."""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from streams.bridge.intake import JSON


def is_json(media_type: str, content_encoding: str | None) -> bool:
    """Whether a body is declared as JSON: ``application/json`` or, by RFC 6839, any
    ``application/…+json``. A compressed body is not taken, because bodies are stored as they
    arrive."""
    if (content_encoding or "identity").strip().lower() != "identity":
        return False
    media_type = media_type.lower()
    return media_type == JSON or (
        media_type.startswith("application/") and media_type.endswith("+json")
    )


def is_authorized(presented: str | None, keys: Sequence[str]) -> bool:
    """Whether ``X-Api-Key`` is one of the accepted keys; any value is accepted when there are none.

    The check takes the same time whichever key matches, and wherever a wrong key differs.
    """
    if not keys:
        return True
    given = _octets(presented or "")
    matches = [hmac.compare_digest(given, _octets(key)) for key in keys]
    return any(matches)


def _octets(text: str) -> bytes:
    # Header bytes that are not UTF-8 arrive as lone surrogates. Encoded like this they never equal
    # the bytes of another text.
    return text.encode("utf-8", "surrogatepass")
