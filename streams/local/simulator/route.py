"""The routes of the simulated API, as faults and counters name them."""

from __future__ import annotations

from enum import StrEnum


class Route(StrEnum):
    """What a request asks for. PATCH stands for every write, also where it is a POST."""

    GET = "GET"
    PATCH = "PATCH"
    TOKEN = "token"
