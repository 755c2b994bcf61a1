"""``genesys-streams explain``: all that happened to one interaction, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

import click
import msgspec
from rich.console import Console
from rich.text import Text

from streams.cli.interaction import INTERACTION
from streams.cli.moment import MOMENT
from streams.cli.printable import json_line, printable
from streams.cli.serving import complete
from streams.clock import SystemClock, rfc3339
from streams.core.conversations.events import ConversationEvent
from streams.core.conversations.record import ConversationRecord
from streams.genesys.client import open_client
from streams.genesys.conversations_client import open_conversations
from streams.kafka.reader import require_rights
from streams.operator.explain.conclusion import conclude
from streams.operator.explain.fields import Answer, LegsAnswer, fields
from streams.operator.explain.found import Found
from streams.operator.explain.history import Happening, history
from streams.operator.explain.reading import InteractionReader
from streams.operator.explain.state import Conclusion, State
from streams.operator.explain.telling import Telling, tell, tell_answer
from streams.operator.replay.conversations import ConversationsReading, ask_legs
from streams.operator.replay.rehearsal import ask
from streams.settings import Settings
from streams.telemetry import logging

STYLES = {
    "call": "dim",
    "put-off": "yellow",
    "redrive": "yellow",
    "replay": "yellow",
    "dead-letter": "bold red",
    "refused": "bold red",
    "unreadable": "bold red",
}

# The width of a time and of the longest kind, so that the sentences stand below each other.
_KIND_WIDTH = 11
_INDENT = " " * (len("2026-01-05T08:00:00.000Z") + 2)

# An error's message in a sentence, and an id; no sentence of ours is longer. The rest is in --json.
_LINE_LENGTH = 2_000


@click.command()
@click.argument("interaction_id", metavar="ID", type=INTERACTION)
@click.option("--since", type=MOMENT, metavar="TIME", help="Read only records from then on.")
@click.option("--ask", "asks", is_flag=True, help="Ask Genesys Cloud as well: what it says now.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def explain(interaction_id: str, *, since: int | None, asks: bool, as_json: bool) -> None:
    """Tell all that happened to one interaction, or conversation, in order, and why, from Kafka.

    Each event, each request to Genesys Cloud, each decision with what would have had to be
    different, what was put off and until when, what died, was refused, redriven or replayed; and
    at last how it stands; of a conversation also each look and each leg. It is whole for as long as
    Kafka keeps the records, whatever the worker's table has forgotten. With --ask also what Genesys
    Cloud says now, and what today's settings make of that; nothing is changed.
    """
    settings = Settings.load(*((Settings.genesys,) if asks else ()))
    logging.configure(settings.log_format, "warning")  # a line for each step of ours is no news
    found = complete(_find(settings, interaction_id, since))
    show = _Lines() if as_json else _Page(Console(highlight=False, soft_wrap=True))
    threshold_ms = settings.duration_threshold_ms
    show.history(history(found), threshold_ms)
    show.conclusion(interaction_id, conclude(found, threshold_ms))
    if asks:
        show.answer(complete(_ask(settings, found)), threshold_ms)


async def _find(settings: Settings, interaction_id: str, since: int | None) -> Found:
    await require_rights(settings.kafka, "explain")
    return await InteractionReader(
        settings.kafka, interaction_id, since, clock=SystemClock()
    ).find()


async def _ask(settings: Settings, found: Found) -> Answer | LegsAnswer:
    if settings.genesys_api == "conversations":
        return await _ask_legs(settings, found)
    observer, clock = _Unobserved(), SystemClock()
    policy = settings.policy(rehearsal=True)
    async with open_client(
        settings.genesys(), in_flight=1, observer=observer, clock=clock, random=Random()
    ) as api:
        verdict, interaction = await ask(found.interaction_id, api, policy)
        return Answer(clock.time(), verdict, interaction)


async def _ask_legs(settings: Settings, found: Found) -> LegsAnswer:
    observer, clock = _Unobserved(), SystemClock()
    reading = ConversationsReading(settings.wrap_up_policy(rehearsal=True))
    told: ConversationRecord | None = None
    for record in found.events:
        if isinstance(record.event, ConversationEvent):
            told = reading.told(told, record.event)
    async with open_conversations(
        settings.genesys(), in_flight=1, observer=observer, clock=clock, random=Random()
    ) as api:
        now_ms = round(clock.time() * 1000)
        verdict, legs = await ask_legs(found.interaction_id, told, api, reading.policy, now_ms)
        return LegsAnswer(clock.time(), verdict, legs)


class _Unobserved:
    """An ApiObserver for one question."""

    def api_call(self, route: str, method: str, status: int | str, seconds: float) -> None:
        """Not counted."""

    def throttled(self, seconds: float) -> None:
        """Not counted."""


class _Page:
    """Prints for people."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def history(self, happenings: Sequence[Happening], threshold_ms: int) -> None:
        for each in happenings:
            told = tell(each, threshold_ms)
            self._line(told)

    def _line(self, told: Telling) -> None:
        style = STYLES.get(told.kind, "")
        at = "-".ljust(len(_INDENT) - 2) if told.at is None else rfc3339(told.at / 1000)
        self._print(f"{at}  {told.kind.ljust(_KIND_WIDTH)}  {told.what}", style)
        for more in told.more:
            self._print(f"{_INDENT}{' ' * _KIND_WIDTH}  {more}", "dim")

    def conclusion(self, interaction_id: str, conclusion: Conclusion) -> None:
        for leg in conclusion.legs if len(conclusion.legs) > 1 else ():
            self._print(f"leg {leg.leg.participant_id}: {leg.what}", "")
        style = "bold green" if conclusion.state is State.CODED else "bold"
        self._print(f"{interaction_id}: {conclusion.what}", style)

    def answer(self, answer: Answer | LegsAnswer, threshold_ms: int) -> None:
        self._line(tell_answer(answer, threshold_ms))

    def _print(self, line: str, style: str) -> None:
        self._console.print(Text(printable(line, _LINE_LENGTH).rstrip(), style=style))


class _Lines:
    """Prints a JSON object a line."""

    def history(self, happenings: Sequence[Happening], threshold_ms: int) -> None:
        for each in happenings:
            self._print({**_common(tell(each, threshold_ms)), **fields(each)})

    def conclusion(self, interaction_id: str, conclusion: Conclusion) -> None:
        self._print(
            {
                "kind": "conclusion",
                "interactionId": interaction_id,
                "state": conclusion.state,
                "what": conclusion.what,
                "legs": [
                    {"leg": each.leg, "state": each.state, "what": each.what}
                    for each in conclusion.legs
                ],
            }
        )

    def answer(self, answer: Answer | LegsAnswer, threshold_ms: int) -> None:
        self._print({**_common(tell_answer(answer, threshold_ms)), **answer.fields()})

    def _print(self, shown: Mapping[str, object]) -> None:
        click.echo(json_line(msgspec.json.encode(shown)))


def _common(told: Telling) -> dict[str, object]:
    return {
        "kind": told.kind,
        "at": None if told.at is None else rfc3339(told.at / 1000),
        "what": told.what,
        "record": told.place,
        "traceId": told.trace_id,
    }
