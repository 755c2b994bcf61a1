"""Judges the head of a request. Plain functions: no sockets, no Kafka, no clock."""

from __future__ import annotations

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
