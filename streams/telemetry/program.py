"""What the metrics of every program have: its process and the versions that run."""

from __future__ import annotations

import platform

from prometheus_client import CollectorRegistry, Gauge, ProcessCollector

from streams import __version__


def add_program(registry: CollectorRegistry) -> None:
    """Add ``process_*`` (memory, CPU, descriptors, start), under the names that every Prometheus
    client uses, and ``genesys_streams_build_info``."""
    ProcessCollector(registry=registry)
    Gauge(
        "genesys_streams_build_info",
        "1, labelled with the versions that run.",
        ["version", "python"],
        registry=registry,
    ).labels(__version__, platform.python_version()).set(1)
