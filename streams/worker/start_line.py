"""The log line that a worker writes once it listens. It shows an operator whether the worker works
on the wrong org or the wrong topics, and whether it is in dry run."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from streams import __version__
from streams.addresses import http_url
from streams.settings import Settings


def start_line(settings: Settings, *, port: int) -> dict[str, Any]:
    """The fields by name, none of them a secret. ``port``: the port listened on."""
    genesys = settings.genesys()
    of_dialect: dict[str, Any] = {"fetch": settings.fetch_policy}
    if genesys.dialect == "conversations":
        of_dialect = {
            "media": settings.wrap_up_media,
            "legs": settings.wrap_up_legs,
            "campaigns": settings.wrap_up_campaigns,
            "method": settings.wrap_up_method,
        }
    return {
        "url": http_url(settings.worker_host, port, tls=settings.worker_tls() is not None),
        "version": __version__,
        "org": urlsplit(genesys.base_url).netloc,
        "dialect": genesys.dialect,
        "dry_run": settings.dry_run,
        "code": settings.disposition_code(),
        "threshold_ms": settings.duration_threshold_ms,
        **of_dialect,
        "requests_per_minute": genesys.requests_per_minute,
        "budget_shared_by": genesys.budget_shared_by,
        "lag_window_seconds": settings.lag_window_seconds,
        "skipped_records": len(settings.skipped_records()),
        "kafka": settings.kafka_bootstrap_servers,
        "group": settings.app_id,
        "topics": settings.topic_prefix,
        "instance": settings.worker_instance_id,
    }
