"""``genesys-streams audit``: the promises held against the topics as they are."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.text import Text

from streams.cli.asking import Calls, asking, reading_of
from streams.cli.moment import MOMENT, in_order
from streams.cli.printable import json_line, printable
from streams.cli.serving import complete
from streams.clock import Clock, SystemClock, rfc3339
from streams.kafka.reader import require_rights
from streams.operator.audit.evidence import Evidence
from streams.operator.audit.judge import Facts, Judge
from streams.operator.audit.ranges import Range
from streams.operator.audit.reading import AuditReader, Read, Stretch
from streams.operator.audit.result import Audit, Findings, Sample, as_json, fields
from streams.operator.audit.truth import choose, claims, contradictions, questions_about
from streams.operator.audit.violation import WHAT_TO_DO, Violation
from streams.operator.replay.rehearsal import rehearse
from streams.settings import Settings
from streams.stopping import in_daemon_thread
from streams.telemetry import logging

# Time between two lines of progress: ten million records take many minutes.
PROGRESS_SECONDS = 10.0

# Between two looks at the clock, in records: it costs as much as some of them.
LOOK_EVERY = 1_000

# Interactions that one audit may ask about: at the usual 300 requests a minute half an hour.
MOST_SAMPLED = 9_000

# A seed that can be typed.
SEEDS = 1_000_000


@click.command()
@click.option("--from", "since", type=MOMENT, metavar="TIME", help="First event.")
@click.option("--to", "until", type=MOMENT, metavar="TIME", help="Up to before this one.")
@click.option(
    "--sample",
    type=click.IntRange(1, MOST_SAMPLED),
    metavar="N",
    help="Ask Genesys Cloud about N of them as well.",
)
@click.option("--seed", type=click.IntRange(0), metavar="N", help="Which ones: those of this seed.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the whole result there."
)
@click.option("--json", "as_lines", is_flag=True, help="Violations as JSON lines.")
def audit(
    *,
    since: int | None,
    until: int | None,
    sample: int | None,
    seed: int | None,
    out: Path | None,
    as_lines: bool,
) -> int:
    """Hold the promises against the topics as they are; times are the records' own in Kafka.

    Every record of events has one final outcome, or waits for it; each outcomeId says one thing;
    outcomes come in the order of their records; dead letters are whole; the group has committed
    past no open record. Joins no group, changes nothing, and may run beside the workers. Names each
    offender; exit code 1 if there is one, or if --sample got no answer about some.
    """
    in_order(since, until, named="--to", after="--from")
    if seed is not None and sample is None:
        raise click.UsageError("--seed goes with --sample N.")
    settings = Settings.load(*((Settings.genesys,) if sample else ()))
    logging.configure(settings.log_format, "warning")  # a line for each step of ours is no news
    drawn = random.randrange(SEEDS) if seed is None else seed
    command = _Audit(settings, Stretch(since, until), sample, drawn, as_lines=as_lines)
    done = complete(command.run())
    if out is not None:
        _write(out, as_json(done, settings))
    unknown = len(done.sample.unknown) if done.sample is not None else 0
    return 1 if done.findings.total() or unknown else 0


class _Audit:
    """One run of the command. ``sample``: how many interactions are asked about; None for none."""

    def __init__(
        self,
        settings: Settings,
        stretch: Stretch,
        sample: int | None,
        seed: int,
        *,
        as_lines: bool,
    ) -> None:
        self._settings = settings
        self._stretch = stretch
        self._sample = sample
        self._seed = seed
        self._clock = SystemClock()
        self._findings = Findings()
        self._page = None if as_lines else Console(highlight=False, soft_wrap=True)

    async def run(self) -> Audit:
        kafka, began = self._settings.kafka, self._clock.time()
        await require_rights(kafka, "audit")
        skipped = self._settings.skipped_records()
        progress = Progress(self._clock)
        reader = AuditReader(kafka, self._stretch, self._clock, progress.reached, skipped)
        read = await reader.look()
        with Evidence(kafka.topics, reader.cut(read)) as evidence:
            facts = await reader.take(read, evidence)
            # In a thread, so that a signal is heard: it may take a minute.
            judge = await in_daemon_thread(_judged, evidence, facts, self._findings)
            sample = await self._ask(evidence)
            done = Audit(
                *(began, self._clock.time(), self._stretch, read),
                *(judge.counts(), judge.decisions(), self._findings, sample),
            )
        self._conclude(done)
        return done

    async def _ask(self, evidence: Evidence) -> Sample | None:
        if self._sample is None:
            return None
        ids = choose(evidence, self._sample, self._seed, whole=self._stretch.whole)
        claimed, unknown = claims(evidence, ids), []
        reading = reading_of(self._settings)
        async with (
            asking(self._settings, reading, Calls()) as ask,
            aclosing(rehearse(questions_about(ids), ask)) as answers,
        ):
            async for answer in answers:
                id_ = answer.question.interaction_id
                if answer.unanswered:
                    error = answer.verdict.error
                    _say(f"not known: {id_}: {error.message if error else answer.verdict.reason}")
                    unknown.append(id_)
                for each in contradictions(claimed.get(id_, ()), answer):
                    self._findings.add(each)
        return Sample(self._seed, ids, unknown)

    def _conclude(self, done: Audit) -> None:
        """Each offender, and how much was read: on the page, or beside the lines on stderr."""
        for each in done.findings.named:
            if self._page is None:
                click.echo(json_line(msgspec.json.encode(fields(each))))
            else:
                self._print(_line(each), "bold red")
        for line in _read_lines(done.read):
            self._print(line)
        counts = ", ".join(f"{number:,} {_words(name)}" for name, number in done.counts.items())
        self._print(counts)
        if done.read.unreadable:
            self._print(f"{done.read.unreadable:,} records of outcomes can not be read")
        if done.sample is not None:
            asked, unknown = len(done.sample.asked), len(done.sample.unknown)
            again = f"--sample {self._sample} --seed {done.sample.seed}"
            self._print(f"{asked} asked about ({again}), {unknown} without an answer")
        for kind, number in done.findings.numbers.items():
            self._print(f"{number:8}  {kind}: {WHAT_TO_DO[kind]}", "red")
        total = done.findings.total()
        verdict = f"{total} violations" if total else "every promise that was looked at is kept"
        self._print(verdict, "bold red" if total else "bold green")

    def _print(self, line: str, style: str = "") -> None:
        if self._page is None:
            _say(line)
        else:
            self._page.print(Text(printable(line), style=style))


def _judged(evidence: Evidence, facts: Facts, findings: Findings) -> Judge:
    judge = Judge(evidence, facts)
    for each in judge.violations():
        findings.add(each)
    return judge


def _line(violation: Violation) -> str:
    record = violation.record
    of = violation.interaction_id or "-"
    if violation.participant_id is not None:
        of += f", leg {violation.participant_id}"
    place = f"{record.topic}/{record.partition}/{record.offset}"
    return (
        f"{violation.kind}  {place}  {of}: expected {violation.expected}; found {violation.found}"
    )


def _read_lines(read: Read) -> Sequence[str]:
    """A line for each topic; the file has each partition."""
    topics: defaultdict[str, list[Range]] = defaultdict(list)
    for each in read.ranges.values():
        topics[each.topic].append(each)
    return [
        f"{topic}: {sum(each.records for each in ranges):,} records of {len(ranges)} partitions"
        + _times(ranges)
        for topic, ranges in topics.items()
    ]


def _times(ranges: Sequence[Range]) -> str:
    first = min((each.first_at for each in ranges if each.first_at is not None), default=None)
    last = max((each.last_at for each in ranges if each.last_at is not None), default=None)
    if first is None or last is None:
        return ""
    return f", {rfc3339(first / 1000)} to {rfc3339(last / 1000)}"


def _words(name: str) -> str:
    """``publishedAgain``, as a person says it."""
    return "".join(f" {char.lower()}" if char.isupper() else char for char in name)


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as exc:
        raise click.ClickException(
            f"--out: cannot write {path}: {exc.strerror}; name a file that can be written"
        ) from exc


class Progress:
    """Says on stderr, now and then, how much is read."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._next = clock.monotonic() + PROGRESS_SECONDS
        self._records = 0

    def reached(self, topic: str) -> None:
        """One record more."""
        self._records += 1
        if self._records % LOOK_EVERY == 0 and self._clock.monotonic() >= self._next:
            self._next = self._clock.monotonic() + PROGRESS_SECONDS
            _say(f"{self._records:,} records read, now in {topic}")


def _say(text: str) -> None:
    click.echo(printable(text), err=True)
