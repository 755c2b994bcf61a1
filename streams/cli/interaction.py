"""The id of an interaction on the command line."""

from __future__ import annotations

import click

from streams.core.envelope import INTERACTION_ID


class InteractionId(click.ParamType):
    """An id that an interaction can have. Another one is a slip, and would find nothing."""

    name = "id"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        text = str(value)
        if not INTERACTION_ID.fullmatch(text):
            self.fail(f"must match {INTERACTION_ID.pattern}", param, ctx)
        return text


INTERACTION = InteractionId()
