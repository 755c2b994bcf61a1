"""The names of a storm's processes, and how each of them comes to what it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

BRIDGE_NAME = "bridge"


@dataclass(frozen=True, slots=True)
class Reach:
    """How a process comes to what it needs, where that is not as the judge does: its settings, and
    variables of its environment."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)


Reaches = Callable[[str], Reach]
"""That of each process, by its name."""


def as_the_judge(_: str) -> Reach:
    return Reach()


def worker_name(number: int) -> str:
    return f"worker {number}"
