"""Places of records on the command line, in every form in which our commands print them."""

from __future__ import annotations

import re
from dataclasses import dataclass

import click

# An offset alone, with its partition, or with its topic too. More digits are no number of Kafka's.
_PLACE = re.compile(
    r"(?:(?:(?P<topic>[^/]+)/)?(?P<partition>[0-9]{1,10})/)?(?P<offset>[0-9]{1,19})"
)


@dataclass(frozen=True, slots=True)
class Place:
    """``topic``, ``partition``: None where they were not given."""

    topic: str | None
    partition: int | None
    offset: int


class PlaceType(click.ParamType):
    """``OFFSET``, ``PARTITION/OFFSET`` or ``TOPIC/PARTITION/OFFSET``, into a Place."""

    name = "place"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Place:
        found = _PLACE.fullmatch(str(value))
        if found is None:
            self.fail("must be OFFSET, PARTITION/OFFSET or TOPIC/PARTITION/OFFSET", param, ctx)
        partition = found["partition"]
        return Place(
            found["topic"], None if partition is None else int(partition), int(found["offset"])
        )


PLACE = PlaceType()
