"""Times on the command line."""

from __future__ import annotations

import click

from streams.clock import epoch_ms


class Moment(click.ParamType):
    """RFC 3339, into epoch milliseconds."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        at = epoch_ms(str(value))
        if at is None:
            self.fail("must be a time such as 2026-01-05T08:00:00Z", param, ctx)
        return at


MOMENT = Moment()
