"""What the topics, their headers and values looked like in the last release, against what they look
like now: whoever was written for the last release has to get along with the next one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Flag, auto
from pathlib import Path
from typing import Any

import yaml

from release.shape import Resolver, Shape, shape_of

PUBLISHED = Path(__file__).parent / "published"


class Use(Flag):
    """``READ``: the program reads it, so what others wrote before has to do. ``PROMISED``: others
    read it, so what they found before has to be there. ``SHARED``: workers of the last release read
    it too, while both share a group or after a downgrade: it has no value that they do not know."""

    READ = auto()
    PROMISED = auto()
    SHARED = auto()


# An event is EventBridge's and not ours to promise. Records of `retries` are read by a worker that
# may be newer than the one that wrote them. What is not named here is both.
USES = {
    "events": Use.READ,
    "retries": Use.READ,
    "outcomes": Use.PROMISED,
    "interactionsChangelog": Use.READ | Use.PROMISED | Use.SHARED,
}


@dataclass(frozen=True, slots=True)
class Channel:
    """One topic: where it is, and of each message that it may hold the shapes of its parts: key,
    headers, value."""

    address: str
    messages: Mapping[str, Mapping[str, Shape]]


def last_release() -> Path:
    """The folder with the AsyncAPI document and the schemas of the last release."""
    return max(PUBLISHED.iterdir(), key=lambda each: [int(part) for part in each.name.split(".")])


def load_channels(folder: Path) -> dict[str, Channel]:
    """The channels of the AsyncAPI document in ``folder``, with the schemas beside it."""
    path = folder / "asyncapi.yaml"
    document = yaml.safe_load(path.read_text())
    return {
        name: _channel(channel, _resolver(path, document))
        for name, channel in document["channels"].items()
    }


def broken(before: Mapping[str, Channel], now: Mapping[str, Channel]) -> list[str]:
    """Each break in one line; empty when who was written for ``before`` gets along with ``now``."""
    return [line for name in before for line in _broken_channel(name, before[name], now.get(name))]


def _broken_channel(name: str, before: Channel, now: Channel | None) -> Iterator[str]:
    if now is None:
        yield f"{name}: was removed"
        return
    if now.address != before.address:
        yield f"{name}: is at {now.address} and was at {before.address}"
    use = USES.get(name, Use.READ | Use.PROMISED)
    for message, parts in before.messages.items():
        left = now.messages.get(message, {})
        for part, shape in parts.items():
            at = f"{name} {message} {part}"
            if part in left:
                yield from broken_shape(shape, left[part], use, at)
            else:
                yield f"{at}: was removed"


def broken_shape(before: Shape, now: Shape, use: Use, at: str) -> Iterator[str]:
    """``at``: where in a record this is. A new field breaks nothing, unless it is required."""
    gone, new = before.types - now.types, now.types - before.types
    if gone and Use.READ in use:
        yield f"{at}: no longer takes {_listed(gone)}"
    if new and Use.PROMISED in use:
        yield f"{at}: may now be {_listed(new)}"
    if before.values is not None and now.values is not None:
        if lost := before.values - now.values:
            yield f"{at}: no longer knows {_listed(lost)}"
        if Use.SHARED in use and (unknown := now.values - before.values):
            yield f"{at}: the last release does not know {_listed(unknown)}"
    elif now.values is not None and Use.READ in use:
        yield f"{at}: now takes nothing but {_listed(now.values)}"
    if Use.READ in use:
        for name in sorted(now.required - before.required):
            yield f"{at}.{name}: became required"
    for name, shape in sorted(before.fields.items()):
        if name not in now.fields:
            yield f"{at}.{name}: was removed"
            continue
        if Use.PROMISED in use and name in before.required - now.required:
            yield f"{at}.{name}: became optional"
        yield from broken_shape(shape, now.fields[name], use, f"{at}.{name}")
    if before.items is not None:
        yield from broken_shape(before.items, now.items or Shape(), use, f"{at}[]")


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))


def _channel(channel: Mapping[str, Any], resolve: Resolver) -> Channel:
    messages = {
        name: _parts(*resolve(reference["$ref"])) for name, reference in channel["messages"].items()
    }
    return Channel(channel["address"], messages)


def _parts(message: Mapping[str, Any], within: Resolver) -> Mapping[str, Shape]:
    if "$ref" in message:
        return _parts(*within(message["$ref"]))
    schemas = {
        "key": message["bindings"]["kafka"]["key"],
        "headers": message.get("headers"),
        "value": message["payload"].get("schema"),
    }
    # Of a part that nothing is said of, such as the bytes of a dead letter, nothing was promised.
    return {part: shape_of(each, within) for part, each in schemas.items() if each is not None}


def _resolver(path: Path, document: Any) -> Resolver:
    """Resolves ``#/within`` this document, and ``file#/within`` one beside it."""

    def resolve(reference: str) -> tuple[Any, Resolver]:
        file, _, pointer = reference.partition("#")
        if file:
            other = path.parent / file
            inner = _resolver(other, json.loads(other.read_text()))
            return inner(f"#{pointer}")
        node = document
        for step in pointer.strip("/").split("/") if pointer else ():
            node = node[step]
        return node, resolve

    return resolve
