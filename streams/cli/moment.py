"""Times on the command line."""

from __future__ import annotations

import click

from streams.timestamps import epoch_ms


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


def in_order(first: int | None, last: int | None, *, named: str, after: str) -> None:
    """Raises BadParameter when ``last`` (the option ``named``) is not later than ``first`` (the
    option ``after``). Such a stretch of time is a slip: it finds nothing, without saying why."""
    if first is not None and last is not None and last <= first:
        raise click.BadParameter(f"must be later than {after}.", param_hint=f"'{named}'")
