"""``genesys-streams replay``: past events through today's rules."""

from __future__ import annotations

from collections import Counter
from contextlib import AsyncExitStack, aclosing

import click
import msgspec

from streams.cli.asking import Calls, asking, reading_of
from streams.cli.interaction import INTERACTION
from streams.cli.moment import MOMENT, in_order
from streams.cli.printable import json_line, printable
from streams.cli.serving import complete
from streams.clock import Clock, SystemClock, rfc3339
from streams.core.records import Decision, Leg, Source, Verdict
from streams.kafka.publisher import KafkaPublisher
from streams.kafka.reader import partitions_of, require_rights
from streams.operator.redrive import read_sent
from streams.operator.replay.past import Past, Question
from streams.operator.replay.rehearsal import Rehearsed, rehearse
from streams.operator.replay.replay import Stretch, Survey, redrive_question, survey
from streams.settings import Settings
from streams.telemetry import logging

# Time between two lines of progress: because of the API's budget a day's calls take hours.
PROGRESS_SECONDS = 10.0


@click.command()
@click.option("--from", "since", type=MOMENT, required=True, metavar="TIME", help="First event.")
@click.option("--to", "until", type=MOMENT, metavar="TIME", help="Up to before this one.")
@click.option("--interaction", type=INTERACTION, metavar="ID", help="Only this one.")
@click.option("--dry-run", is_flag=True, help="Say which calls would get a code; send nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def replay(
    *, since: int, until: int | None, interaction: str | None, dry_run: bool, as_json: bool
) -> int:
    """Run past events through today's rules; times are the records' own in Kafka, RFC 3339.

    Prints each call that would get a code now and did not then. Without --dry-run its record goes
    back to the workers, which decide it anew, with their settings. Neither their offsets nor their
    tables are touched. Records that can not be read are named, and passed over. Exit 1 when the API
    could not be asked about all of them.
    """
    in_order(since, until, named="--to", after="--from")
    settings = Settings.load()
    settings.genesys()  # wrong settings are reported before anything is read
    logging.configure(settings.log_format, settings.log_level)
    stretch = Stretch(since, until, interaction)
    return 1 if complete(_replay(settings, stretch, dry_run, as_json)) else 0


async def _replay(settings: Settings, stretch: Stretch, dry_run: bool, as_json: bool) -> int:
    """Returns the number of interactions of which nothing is known."""
    await require_rights(settings.kafka, "replay --dry-run" if dry_run else "replay")
    reading = reading_of(settings)
    found = await survey(settings.kafka, stretch, reading)
    _say(
        f"{found.records} events; {len(found.questions)} calls were over: {len(found.coded)} "
        f"got a code, {len(found.undecided)} are not decided yet and left to the workers, "
        f"{len(found.asked)} are asked about"
    )
    say_unread(found)
    decided: Counter[str] = Counter()
    calls, progress = Calls(), Progress(len(found.asked), SystemClock())
    async with AsyncExitStack() as stack:
        back = None if dry_run else await stack.enter_async_context(_Redrive(settings, found.past))
        ask = await stack.enter_async_context(asking(settings, reading, calls))
        answers = await stack.enter_async_context(aclosing(rehearse(found.asked, ask)))
        async for each in answers:
            decided.update(f"{verdict.decision} {verdict.reason}" for _, verdict in each.verdicts)
            if each.unanswered:
                verdict = each.verdict
                message = verdict.error.message if verdict.error else verdict.reason
                _say(f"not known: {each.question.interaction_id}: {message}")
            if each.eligible and (back is None or await back.send(each.question)):
                for line in _lines(each, found.past, as_json=as_json):
                    click.echo(line)
            progress.reached(each)
    for name, number in decided.most_common():
        _say(f"{number:8}  {name}")
    _say(f"{calls.number:8}  requests to Genesys Cloud")
    if back is not None:
        _say(f"{back.sent:8}  redriven")
    if progress.unknown:
        _say(f"nothing is known of {progress.unknown}; to ask again: --from {progress.go_on}")
    return progress.unknown


class _Redrive:
    """Redrives records. ``sent``: how many were sent."""

    def __init__(self, settings: Settings, past: Past) -> None:
        self.sent = 0
        self._settings = settings
        self._past = past
        self._earlier: frozenset[tuple[Source, int]] = frozenset()
        self._publisher = KafkaPublisher(settings.kafka, client_id=f"{settings.app_id}-replay")

    async def __aenter__(self) -> _Redrive:
        partitions = await partitions_of(self._settings.kafka, self._settings.topics.retries)
        self._earlier = await read_sent(self._settings.kafka, partitions)
        await self._publisher.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._publisher.stop()

    async def send(self, question: Question) -> bool:
        """Returns False for a question that was redriven before and waits to be decided."""
        topics = self._settings.topics
        if await redrive_question(question, self._past, self._earlier, self._publisher, topics):
            self.sent += 1
            return True
        _say(f"left: {question.interaction_id}: redriven already, and not decided yet")
        return False


class Progress:
    """Reports now and then how many of ``number`` questions are done, the oldest first, and from
    which time to go on after a Ctrl-C.

    ``unknown``: the number of questions of which nothing is known. ``go_on``: never later than the
    earliest of those, because a replay from a later time would leave it out.
    """

    def __init__(self, number: int, clock: Clock) -> None:
        self.unknown = 0
        self.go_on = ""
        self._number = number
        self._reached = 0
        self._clock = clock
        self._next = clock.monotonic() + PROGRESS_SECONDS

    def reached(self, each: Rehearsed) -> None:
        self._reached += 1
        if not self.unknown:
            self.go_on = rfc3339(each.question.at / 1000)
        self.unknown += each.unanswered
        if self._clock.monotonic() >= self._next:
            self._next = self._clock.monotonic() + PROGRESS_SECONDS
            _say(
                f"{self._reached} of {self._number} asked; to go on from here: --from {self.go_on}"
            )


def _lines(each: Rehearsed, past: Past, *, as_json: bool) -> list[str | bytes]:
    """One for each leg that would get a code, or for the interaction."""
    shown = _as_json if as_json else _line
    return [
        shown(each.question, leg, verdict, past)
        for leg, verdict in each.verdicts
        if verdict.decision is Decision.WOULD_PATCH
    ]


def _line(question: Question, leg: Leg | None, _: Verdict, past: Past) -> str:
    then = past.latest(question, leg)
    place = f"{question.source.partition}/{question.source.offset}"
    shown = "-" if then is None else f"{then.decision} {then.reason}"
    at = rfc3339(question.at / 1000)
    named = printable(question.interaction_id).ljust(36)
    if leg is not None:
        named += f"  {printable(leg.participant_id):36}"
    return f"{at}  {place:10}  {named}  then: {shown}"


def _as_json(question: Question, leg: Leg | None, now: Verdict, past: Past) -> bytes:
    then = past.latest(question, leg)
    shown = msgspec.json.encode(
        {
            "interactionId": question.interaction_id,
            "source": question.source,
            "at": rfc3339(question.at / 1000),
            "leg": leg,
            "then": None if then is None else {"decision": then.decision, "reason": then.reason},
            "now": {
                "decision": now.decision,
                "reason": now.reason,
                "dispositionCodeId": now.disposition_code_id,
                "durationMs": now.duration_ms,
            },
        }
    )
    return json_line(shown)


def say_unread(found: Survey) -> None:
    """Names and counts the records that could not be read. An unread event may be of a call that is
    missed, and an unread outcome of a call that has its code."""
    for what, unread in (("events", found.unread_events), ("outcomes", found.unread_outcomes)):
        for each in unread.named:
            _say(f"unreadable: {each}")
        if unread.number:
            rest = unread.number - len(unread.named)
            left_out = f"; {rest} of them are not named" if rest else ""
            _say(f"{unread.number:8}  {what} can not be read and are passed over{left_out}")


def _say(text: str) -> None:
    click.echo(printable(text), err=True)
