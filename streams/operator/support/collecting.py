"""What goes into a bundle, part by part, one after the other. Joins no group, changes nothing."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, BinaryIO

import msgspec

from streams import __version__
from streams.clock import Clock, rfc3339
from streams.core.foreign_text import foreign_text
from streams.errors import KafkaError, StreamsError, TopicsError
from streams.kafka.positions import GroupView, look_at_group
from streams.kafka.topics import State, look
from streams.operator.doctor.examination import examine
from streams.operator.stuck.asking import worker_urls
from streams.operator.stuck.workers import ask_workers, fetch_page
from streams.operator.support.bundle import Part
from streams.operator.support.scrubbing import Scrubber, environment, shown
from streams.settings import Settings
from streams.stopping import in_daemon_thread

# Pages of a worker that need no key.
PAGES = ("metrics", "readyz", "healthz")

REASON_LENGTH = 1_000


class Collector:
    """``variables``: the environment. ``logs``: the ends of logs by their names."""

    def __init__(
        self,
        settings: Settings,
        scrubber: Scrubber,
        clock: Clock,
        *,
        variables: Mapping[str, str] = os.environ,
        logs: Mapping[str, str],
    ) -> None:
        self._settings = settings
        self._scrubber = scrubber
        self._clock = clock
        self._variables = variables
        self._logs = logs

    async def parts(self) -> AsyncIterator[Part]:
        """Each as soon as it is there. One that can not be had says why, and the others come."""
        yield self._json("settings.json", shown(self._settings))
        yield self._json("environment.json", environment(self._variables))
        yield self._json("versions.json", self._versions())
        for name, text in self._logs.items():
            yield Part(f"logs/{name}", self._scrubber.text(text).encode())
        checks = [msgspec.to_builtins(each) async for each in examine(self._settings, self._clock)]
        yield self._json("doctor.json", checks)
        state, topics = await self._topics()
        yield topics
        view, group = await self._group(state)
        yield group
        async for part in self._workers(view):
            yield part

    async def _topics(self) -> tuple[State | None, Part]:
        try:
            state = await in_daemon_thread(look, self._settings.kafka)
        except (KafkaError, TopicsError) as failure:
            return None, self._missing("topics.json", failure)
        own = {name: state.cluster.topics.get(name) for name in state.declaration.names}
        return state, self._json(
            "topics.json",
            {
                "brokers": state.cluster.brokers,
                "embedded": state.cluster.embedded,
                "topics": {name: each and asdict(each) for name, each in own.items()},
                "differences": [str(each) for each in state.differences()],
            },
        )

    async def _group(self, state: State | None) -> tuple[GroupView | None, Part]:
        name = "group.json"
        if state is None:
            return None, self._missing(name, "it is asked for the topics, see topics.json")
        topics = self._settings.topics
        partitions = {
            each: state.cluster.topics[each].partitions
            for each in (topics.events, topics.retries)
            if each in state.cluster.topics
        }
        try:
            view = await look_at_group(self._settings.kafka, partitions)
        except KafkaError as failure:
            return None, self._missing(name, failure)
        members = [
            {"clientId": each.client_id, "host": each.host, "places": sorted(each.places)}
            for each in view.members or ()
        ]
        positions = [asdict(each) | {"lag": each.end - each.committed} for each in view.positions]
        found = {"group": self._settings.app_id, "members": members, "positions": positions}
        return view, self._json(name, found)

    async def _workers(self, view: GroupView | None) -> AsyncIterator[Part]:
        urls, tls = worker_urls(self._settings, view), self._settings.peers_tls()
        asked = await ask_workers(urls, self._settings.look_up_keys(), tls)
        standing = [
            {"url": each.url, "error": each.error, "standing": msgspec.to_builtins(each.standing)}
            for each in asked
        ]
        errors = [f"{each.url}: {each.error}" for each in asked if each.error is not None]
        yield self._json("workers.json", standing, "; ".join(errors) or None)
        for number, url in enumerate(dict.fromkeys(urls), 1):
            for page in PAGES:
                name = f"workers/{number}/{page}.txt"
                try:
                    text = await fetch_page(url, page, tls)
                except StreamsError as failure:
                    yield self._missing(name, failure)
                    break  # the next page of this worker would not come either
                yield Part(name, self._scrubber.text(text).encode())

    def _versions(self) -> dict[str, object]:
        return {
            "genesys-streams": __version__,
            "python": sys.version,
            "platform": platform.platform(),
            "madeAt": rfc3339(self._clock.time()),
            "libraries": {
                each.metadata["Name"]: each.version
                for each in sorted(importlib.metadata.distributions(), key=lambda it: it.name)
            },
        }

    def _json(self, name: str, value: Any, missing: str | None = None) -> Part:
        cleaned = self._scrubber.value(msgspec.to_builtins(value))
        told = None if missing is None else self._said(missing)
        return Part(name, msgspec.json.format(msgspec.json.encode(cleaned), indent=2), told)

    def _missing(self, name: str, why: object) -> Part:
        said = self._said(str(why))
        return Part(f"{name}.missing", said.encode(), said)

    def _said(self, why: str) -> str:
        return self._scrubber.text(foreign_text(why, REASON_LENGTH))


def tail(log: BinaryIO, most_bytes: int) -> str:
    """The end of a log, or of what is piped in. Raises OSError."""
    kept, cut = b"", False
    while chunk := log.read(most_bytes):
        cut |= len(kept) + len(chunk) > most_bytes
        kept = (kept + chunk)[-most_bytes:]
    text = kept.decode(errors="replace")
    # The first line of a part is a part of a line: what is secret in it could not be recognised.
    return text.partition("\n")[2] if cut else text


def listed(parts: Sequence[Part]) -> Part:
    """What is in the bundle, and what is not."""
    lines = [f"{each.name}: {each.missing or f'{len(each.content):,} bytes'}" for each in parts]
    return Part("contents.txt", "\n".join(lines).encode() + b"\n")
