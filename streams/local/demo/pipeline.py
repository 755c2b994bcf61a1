"""Starts the four parts so that each finds the others."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import aiohttp

from streams.local.conversations.playing import SPEED
from streams.local.demo.processes import Parts, announcement, ready
from streams.settings import Settings

HOST = "127.0.0.1"

# The code that the demo's worker sets.
DISPOSITION_CODE = "de300000-0000-4000-8000-000000000001"

# About what a GET or PATCH of Genesys Cloud takes; one in a hundred takes three times as long.
LATENCY_MS = 40
LATENCY_SPREAD = 0.5

# Far above what the demo needs: the demo shows the pipeline, not the wait for a quota.
REQUESTS_PER_MINUTE = 600_000

# For some interactions the API never shows what their event says. The contract's minute of looking
# again would make up most of the demo.
LAG_WINDOW_SECONDS = 2

# With faults some requests are never answered, and the contract's 10 s for each would make up most
# of the demo. Without faults the 10 s stay, because a slow machine is no fault.
CHAOS_API_TIMEOUT_SECONDS = 2


# Settings in seconds that are of what happens in a conversation, so that they are played faster.
_PLAYED_SECONDS = (
    "lag_window_seconds",
    "wrap_up_margin_seconds",
    "wrap_up_patience_seconds",
    "wrap_up_verify_seconds",
)


@dataclass(frozen=True, slots=True)
class Org:
    """The simulated Genesys Cloud: the first interactions, or conversations, of a seed, with faults
    or without."""

    interactions: int
    seed: int
    chaos: bool
    api: Literal["interactions", "conversations"] = "interactions"


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The addresses of the parts. ``settings``: for access to Kafka, free of the caller's own."""

    kafka: str
    simulator: str
    bridge: str
    worker: str
    settings: Settings


async def start(parts: Parts, session: aiohttp.ClientSession, org: Org, data: Path) -> Pipeline:
    """Start all four parts and wait until they can do their job. ``data`` is the worker's
    directory.

    Raises DemoError when one does not come up.
    """
    kafka = await announcement(await parts.start("broker", ["broker"], {}), "bootstrap.servers")
    simulating = await parts.start("simulator", _simulator_command(org), {})
    reach = {"KAFKA_BOOTSTRAP_SERVERS": kafka}
    await parts.complete("topics-apply", ["topics", "apply"], reach)
    simulator = await announcement(simulating, "base_url")
    bridge_port, worker_port = free_ports(2)
    reach["GENESYS_API"] = org.api
    bridging = await parts.start(
        "bridge", ["bridge", "http"], reach | {"BRIDGE_HOST": HOST, "BRIDGE_PORT": str(bridge_port)}
    )
    working = await parts.start(
        "worker",
        ["worker"],
        reach
        | {
            "GENESYS_CLOUD_BASE_URL": simulator,
            "GENESYS_CLOUD_CLIENT_ID": "demo",
            "GENESYS_CLOUD_CLIENT_SECRET": "demo",
            "GENESYS_REQUESTS_PER_MINUTE": str(REQUESTS_PER_MINUTE),
            "DISPOSITION_CODE_ID": DISPOSITION_CODE,
            "DATA_DIR": str(data),
            "WORKER_HOST": HOST,
            "WORKER_PORT": str(worker_port),
        }
        | lengths(org.api)
        | ({"API_TIMEOUT_SECONDS": str(CHAOS_API_TIMEOUT_SECONDS)} if org.chaos else {}),
    )
    pipeline = Pipeline(
        kafka=kafka,
        simulator=simulator,
        bridge=f"http://{HOST}:{bridge_port}",
        worker=f"http://{HOST}:{worker_port}",
        settings=demo_settings(kafka),
    )
    await ready(session, bridging, pipeline.bridge)
    await ready(session, working, pipeline.worker)
    return pipeline


def lengths(api: str) -> dict[str, str]:
    """The settings that are lengths of time of what is played."""
    if api == "interactions":
        return {"LAG_WINDOW_SECONDS": str(LAG_WINDOW_SECONDS)}
    defaults = {name: Settings.model_fields[name].default for name in _PLAYED_SECONDS}
    played = {name.upper(): str(seconds / SPEED) for name, seconds in defaults.items()}
    threshold_ms = Settings.model_fields["duration_threshold_ms"].default
    return played | {"DURATION_THRESHOLD_MS": str(round(threshold_ms / SPEED))}


def demo_settings(kafka: str) -> Settings:
    """Every setting has its default, except the broker: the caller's settings are for another
    Kafka."""
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    return Settings.load(**(defaults | {"kafka_bootstrap_servers": kafka}), _env_file=None)


def _simulator_command(org: Org) -> list[str]:
    options = {
        "--port": 0,
        "--interactions": org.interactions,
        "--seed": org.seed,
        "--latency-ms": LATENCY_MS,
        "--latency-spread": LATENCY_SPREAD,
        "--rate-limit": REQUESTS_PER_MINUTE,
    }
    words = [str(word) for option in options.items() for word in option]
    return ["simulator", *words, *(["--chaos"] if org.chaos else [])]


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on at this moment."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in sockets]
