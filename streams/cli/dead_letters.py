"""``genesys-streams dead-letters``: lists, shows and redrives what could not be handled."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.text import Text

from streams.cli.columns import Column, heading_line, row_line
from streams.cli.interaction import INTERACTION
from streams.cli.moment import MOMENT, in_order
from streams.cli.place import PLACE, Place
from streams.cli.printable import CELL_LENGTH, json_line, printable, text_of
from streams.cli.serving import complete
from streams.clock import SystemClock, rfc3339
from streams.core.records import Source
from streams.kafka.publisher import KafkaPublisher
from streams.kafka.reader import partitions_of, require_rights
from streams.operator.redrive import read_letters, read_sent, redrive
from streams.operator.standing import Standing, Wanted, in_turn, standings
from streams.settings import Settings
from streams.wire.dead_letters import NAME_LENGTH, REASONS, Letter, Stage
from streams.wire.retries import Signed

# A gentle default: records that are redriven compete with live events for the API's budget.
REDRIVES_PER_SECOND = 20.0

# A wider cell is cut, because show and --json print all of it. The offset is never cut, because
# show asks for it.
COLUMNS = (
    Column("OFFSET", 8),
    Column("FAILED AT", 24, most=24),
    Column("STAGE", 6, most=6),
    Column("REASON", 17, most=17),
    Column("NOW", 9, most=9),
    Column("REDRIVEN", 8, most=8),
    Column("INTERACTION", 36, most=36),
    Column("MESSAGE", 100, most=100),
)

WHY_LEFT = {
    Standing.NO_EVENT: "its bytes are no event",
    Standing.NO_SOURCE: "its headers name no record that can be in events",
    Standing.NEWER: "a newer release has written it, and has to redrive it",
    Standing.REDRIVEN: "redriven already, and not dead again",
}


@click.group("dead-letters")
def dead_letters() -> None:
    """What could not be handled: look at it, and redrive it once its cause is mended."""


def selecting(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options that select letters. The command gets them as ``wanted``."""

    @functools.wraps(command)
    def selected(
        *,
        reason: Sequence[str],
        stage: str | None,
        interaction: str | None,
        since: int | None,
        until: int | None,
        **more: Any,
    ) -> None:
        in_order(since, until, named="--until", after="--since")
        wanted = Wanted(frozenset(reason), stage, interaction, since, until)
        command(wanted=wanted, **more)

    for option in (
        click.option("--until", type=MOMENT, metavar="TIME", help="Only those that died before."),
        click.option("--since", type=MOMENT, metavar="TIME", help="Only those that died since."),
        click.option(
            "--interaction",
            metavar="ID",
            type=INTERACTION,
            help="Only those of one interaction.",
        ),
        click.option(
            "--stage",
            type=click.Choice([stage.value for stage in Stage]),
            help="Only those that died there.",
        ),
        click.option(
            "--reason",
            multiple=True,
            type=click.Choice([reason.value for reason in REASONS]),
            help="Only those of this one; may be repeated.",
        ),
    ):
        selected = option(selected)
    return selected


@dead_letters.command("list")
@selecting
@click.option(
    "--open",
    "only_open",
    is_flag=True,
    help="Only those that wait for a redrive, and those that none can help.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_letters(*, wanted: Wanted, only_open: bool, as_json: bool) -> None:
    """List dead letters in the order in which they died, and how many there are of each reason.

    Those that do not say when come first. OFFSET is PARTITION/OFFSET for a letter that is not in
    partition 0; show accepts what is printed there.

    NOW shows how each stands: open, it waits for a redrive; redriven, and not dead again;
    replaced by a later letter of the same record; no event, or no source that can be read, which
    stays until retention takes it.
    """
    found = [
        (letter, standing)
        for letter, standing in complete(_stood(Settings.load(), "dead-letters list"))
        if letter in wanted and (standing.open or not only_open)
    ]
    if as_json:
        for letter, standing in found:
            click.echo(json_line(msgspec.json.encode(_as_json(letter, standing))))
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(Text(heading_line(COLUMNS), style="bold"))
    for letter, standing in found:
        console.print(Text(_line(letter, standing), style=_style(letter, standing)))
    for line in _counted(found):
        console.print(Text(line))


@dead_letters.command()
@click.argument("place", type=PLACE)
@click.option("--partition", type=click.IntRange(0), help="For an OFFSET alone; 0 if not given.")
@click.option("--bytes", "body", type=click.Path(path_type=Path), help="Write its bytes there.")
def show(place: Place, partition: int | None, body: Path | None) -> None:
    """Show one dead letter: its headers and its bytes.

    PLACE is OFFSET, PARTITION/OFFSET or TOPIC/PARTITION/OFFSET, as list and other commands print
    it.
    """
    settings = Settings.load()
    at = _letter_at(place, partition, settings)
    letters = complete(_read(settings, "dead-letters show"))
    letter = next((each for each in letters if (each.partition, each.offset) == at), None)
    if letter is None:
        raise click.ClickException(f"there is no dead letter {at[0]}/{at[1]}")
    if body is not None:
        try:
            body.write_bytes(letter.value or b"")
        except OSError as exc:
            raise click.ClickException(
                f"--bytes: cannot write {body}: {exc.strerror}; name a file that can be written"
            ) from exc
    for name, value in letter.headers:
        click.echo(f"{name}: {printable(value)}")
    click.echo(f"key: {printable(text_of(letter.key))}")
    click.echo(f"value: {printable(text_of(letter.value))}")


def _letter_at(place: Place, partition: int | None, settings: Settings) -> tuple[int, int]:
    """The partition and the offset that were asked for. Raises BadParameter where what was given
    contradicts itself."""
    topic = settings.topics.dead_letters
    if place.topic not in (None, topic):
        raise click.BadParameter(f"dead letters are in {topic}, not in {printable(place.topic)}")
    if None not in (place.partition, partition) and place.partition != partition:
        raise click.BadParameter(f"is not {place.partition}", param_hint="'--partition'")
    return place.partition or partition or 0, place.offset


def _words(_: click.Context, __: click.Parameter, text: str) -> str:
    """One printable line that fits a header."""
    if len(text) > NAME_LENGTH or not text.isprintable():
        raise click.BadParameter(f"takes one printable line of at most {NAME_LENGTH} characters")
    return text.strip()


@dead_letters.command("redrive")
@selecting
@click.option("--dry-run", is_flag=True, help="Say what would be redriven, and send nothing.")
@click.option(
    "--rate",
    default=REDRIVES_PER_SECOND,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
    help="Letters a second at most.",
)
@click.option("--by", default="", metavar="NAME", callback=_words, help="Who does so.")
@click.option("--why", default="", metavar="TEXT", callback=_words, help="What for.")
def redrive_letters(*, wanted: Wanted, dry_run: bool, rate: float, by: str, why: str) -> None:
    """Send dead letters back to be decided anew, in their order; mend the cause first.

    One that was redriven and has not died again is left, and so is one that has nowhere to go:
    each is named on stderr, with the reason. Each counts how often it was redriven: list shows it,
    for what dies again and again. NAME and TEXT are kept in each record that goes back.
    """
    signed = Signed(by, why)

    async def send(settings: Settings) -> int:
        command = "dead-letters redrive --dry-run" if dry_run else "dead-letters redrive"
        found = [each for each in await _stood(settings, command) if each[0] in wanted]
        for letter, standing in found:
            if why := WHY_LEFT.get(standing):
                click.echo(f"left: {_name(letter)}: {why}", err=True)
        chosen = in_turn([letter for letter, standing in found if standing is Standing.OPEN])
        if dry_run:
            for letter in chosen:
                click.echo(f"would redrive: {_name(letter)} ({letter.reason or '-'})")
            return len(chosen)
        publisher = KafkaPublisher(settings.kafka, client_id=f"{settings.app_id}-redrive")
        await publisher.start()
        try:
            sending = redrive(
                chosen, publisher, settings.topics, SystemClock(), per_second=rate, signed=signed
            )
            async with aclosing(sending) as sent:
                async for letter in sent:
                    click.echo(f"redriven: {_name(letter)} ({letter.reason or '-'})")
        finally:
            await publisher.stop()
        return len(chosen)

    number = complete(send(Settings.load()))
    click.echo(f"{number} {'would be ' if dry_run else ''}redriven", err=True)


async def _read(settings: Settings, command: str) -> list[Letter]:
    await require_rights(settings.kafka, command)
    partitions = await partitions_of(settings.kafka, settings.topics.dead_letters)
    return await read_letters(settings.kafka, partitions)


async def _stood(settings: Settings, command: str) -> list[tuple[Letter, Standing]]:
    """Every letter and its standing. ``command``: that of the rights that are needed."""
    letters = await _read(settings, command)
    retries = await partitions_of(settings.kafka, settings.topics.retries)

    def is_absent(source: Source) -> bool:
        """Whether ``retries`` lacks the partition with the record's own number, to which it would
        go back."""
        return source.topic == settings.topics.events and source.partition >= retries

    return standings(letters, await read_sent(settings.kafka, retries), is_absent)


def _line(letter: Letter, standing: Standing) -> str:
    place = letter.place if letter.partition else str(letter.offset)
    failed_at = None if letter.failed_at is None else rfc3339(letter.failed_at / 1000)
    cells = (
        place,
        failed_at,
        letter.stage or None,
        letter.reason or None,
        standing,
        letter.redriven or None,
        letter.interaction_id or text_of(letter.key),
        letter.message or None,
    )
    return row_line(COLUMNS, cells)


def _style(letter: Letter, standing: Standing) -> str:
    if not standing.open:
        return "dim"
    # It was redriven and died again, and will do so until its cause is mended.
    return "yellow" if letter.redriven else ""


def _counted(found: Sequence[tuple[Letter, Standing]]) -> Iterator[str]:
    """``32 forbidden, 8 open``, the most frequent reason first. The second number is left out where
    all of them are open."""
    still_open = Counter(letter.reason for letter, standing in found if standing.open)
    for name, number in Counter(letter.reason for letter, _ in found).most_common():
        line = f"{number:8}  {name or '-'}"
        yield line if still_open[name] == number else f"{line}, {still_open[name]} open"


def _name(letter: Letter) -> str:
    name = printable(letter.interaction_id or text_of(letter.key), CELL_LENGTH)
    return f"{letter.place} {name}"


def _as_json(letter: Letter, standing: Standing) -> dict[str, object]:
    return {
        "partition": letter.partition,
        "offset": letter.offset,
        "reason": letter.reason or None,
        "message": letter.message or None,
        "stage": letter.stage or None,
        "failedAt": None if letter.failed_at is None else rfc3339(letter.failed_at / 1000),
        "redriven": letter.redriven,
        "now": standing,
        "open": standing.open,
        "interactionId": letter.interaction_id,
        "source": letter.source,
        "key": text_of(letter.key),
        "value": text_of(letter.value),
    }
