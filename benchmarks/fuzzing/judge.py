"""What must have become of every record, from the topics alone.

Each violation is one line that names the offender.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from jsonschema import ValidationError
from jsonschema.exceptions import best_match

from benchmarks.fuzzing.records import Planned, Role
from streams.core.envelope import parse
from streams.core.records import Decision, Reason
from streams.errors import EnvelopeError
from streams.settings import Settings
from streams.worker.state.table import changelog as changelog_topic
from tests.support.journey import Journey
from tests.support.oracle import Place, Record, outcomes_by_place, read_all
from tests.support.schemas import validator

# Kafka's own default for a topic is 1 MiB.
MOST_CHANGELOG_BYTES = 768 * 1024
MOST_OUTCOME_BYTES = 64 * 1024

# Of headers: the API's words, and W3C's trace state of at most 32 members.
MOST_HEADER_BYTES = 32 * 1024

# What comes from the event is published as received; the rest is the program's own text.
_AS_RECEIVED = frozenset({"interactionId", "sequenceId", "eventId"})

_CONTROL = "Cc"

# What differs in every outcome, and what all that is written like this stands for: validating
# takes milliseconds, and so few different ones are left.
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_TIME = r"[0-9]{4}-(0[1-9]|1[0-2])-[0-2][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]\.[0-9]{3}Z"
_ALIKE = {
    "outcomeId": (re.compile(_UUID), "00000000-0000-0000-0000-000000000000"),
    "eventId": (re.compile(_UUID), "00000000-0000-0000-0000-000000000000"),
    "interactionId": (re.compile(f"(fuzz|answered)-[0-9]+|{_UUID}"), "i-1"),
    "eventTime": (re.compile(_TIME), "2026-01-05T08:00:00.000Z"),
    "decidedAt": (re.compile(_TIME), "2026-01-05T08:00:00.000Z"),
    "nextAt": (re.compile(_TIME), "2026-01-05T08:00:00.000Z"),
    "traceId": (re.compile("[0-9a-f]{32}"), "0" * 31 + "1"),
    "latencyMs": (re.compile(r"[0-9]+\.[0-9]+"), 1.5),
    "endToEndMs": (re.compile(r"-?[0-9]+\.[0-9]+"), 1.5),
}
_ALIKE_SOURCE = {
    "partition": (re.compile("[0-9]+"), 1),
    "offset": (re.compile("[0-9]+"), 1),
}


@dataclass(frozen=True)
class Evidence:
    """The topics as they lie at the end."""

    outcomes: list[Record]
    letters: list[Record]
    changelog: list[Record]

    @classmethod
    async def read(cls, settings: Settings) -> Evidence:
        topics = settings.topics
        return cls(
            await read_all(settings, topics.outcomes),
            await read_all(settings, topics.dead_letters),
            await read_all(settings, changelog_topic(settings.app_id)),
        )


@dataclass
class Fuzzed(Journey):
    """A contact centre among whose events another producer writes anything.

    ``written``: what lies in ``events`` and in ``retries``, by topic and place. Its good events are
    judged as ever.
    """

    written: dict[tuple[str, int, int], Planned] = field(default_factory=dict)
    evidence: Evidence = field(default_factory=lambda: Evidence([], [], []))

    async def outcomes(self) -> Mapping[Place, list[dict[str, Any]]]:
        """The final ones of good events; ``put_off`` remembers the interactions of the others."""
        finals: dict[Place, list[dict[str, Any]]] = defaultdict(list)
        for place, published in outcomes_by_place(self.evidence.outcomes).items():
            for outcome in published if place in self.sent else ():
                if outcome["final"]:
                    finals[place].append(outcome)
                else:
                    self.put_off.add(outcome["interactionId"])
        return finals

    async def violations(self) -> list[str]:
        """All that is wrong."""
        self.evidence = await Evidence.read(self.settings)
        wrong = [*self._of_records(), *self._of_outcomes(), *self._of_sizes()]
        try:
            await self.judge()
        except AssertionError as deviations:
            wrong.append(f"good events: {deviations}")
        return wrong

    def decided(self) -> Counter[tuple[str, str, str]]:
        """Role, decision and reason of every final outcome."""
        events = self.settings.topics.events
        found: Counter[tuple[str, str, str]] = Counter()
        for (partition, offset), published in outcomes_by_place(self.evidence.outcomes).items():
            planned = self.written.get((events, partition, offset))
            role = planned.role if planned is not None else Role.COPY
            for each in published:
                if each["final"]:
                    found[(role, each["decision"], each["reason"])] += 1
        return found

    def _of_records(self) -> Iterator[str]:
        """Each record its one end."""
        topics = self.settings.topics
        published = outcomes_by_place(self.evidence.outcomes)
        letters = _by_source(self.evidence.letters)
        places: set[Place] = set()
        for (topic, partition, offset), planned in self.written.items():
            named = f"{topic}/{partition}/{offset} ({planned.role}, {planned.kind})"
            dead = letters.pop((topic, partition, offset), [])
            source = (partition, offset)
            if planned.role is Role.STRANGER:
                yield from _one_dead_letter(named, planned, dead)
                continue
            if planned.copied is not None:
                source = (partition, planned.copied)
                dead = letters.pop((topics.events, *source), [])
            places.add(source)
            yield from _ended(named, planned, published.get(source, []), dead)
        yield from (f"an outcome of no record: {place}" for place in published.keys() - places)
        yield from (f"a dead letter of no record: {place}" for place in letters)

    def _of_outcomes(self) -> Iterator[str]:
        """What a consumer was promised of each."""
        schema = validator("outcome")
        known: dict[str, list[str]] = {}
        for record in self.evidence.outcomes:
            outcome = json.loads(record.value or b"null")
            named = f"outcome {record.partition}/{record.offset}"
            shape = _alike(outcome)
            if shape not in known:
                known[shape] = [_in_words(error) for error in schema.iter_errors(outcome)]
            yield from (f"{named}: {problem}" for problem in known[shape])
            for path, text in _texts({**outcome, **dict.fromkeys(_AS_RECEIVED)}):
                if _controls(text):
                    yield f"{named}: control characters in {path}: {text[:100]!r}"
            if outcome["reason"] == Reason.INTERNAL_ERROR:
                yield f"{named}: a fault of the program on {outcome['source']}: {outcome['error']}"

    def _of_sizes(self) -> Iterator[str]:
        evidence = self.evidence
        for name, records, most in (
            ("outcome", evidence.outcomes, MOST_OUTCOME_BYTES),
            ("changelog record", evidence.changelog, MOST_CHANGELOG_BYTES),
        ):
            for each in records:
                if (size := len(each.value or b"")) >= most:
                    yield f"{name} {each.partition}/{each.offset}: {size} bytes"
        for each in [*evidence.outcomes, *evidence.letters]:
            if (size := header_bytes(each)) >= MOST_HEADER_BYTES:
                yield f"headers of {each.partition}/{each.offset}: {size} bytes"
            for name, value in each.headers:
                if _controls(value.decode("utf-8", "backslashreplace")):
                    yield f"control characters in {name} of {each.partition}/{each.offset}"


def header_bytes(record: Record) -> int:
    """Of names and values."""
    return sum(len(name) + len(value) for name, value in record.headers)


def _ended(
    named: str, planned: Planned, published: list[dict[str, Any]], dead: list[Record]
) -> Iterator[str]:
    """One final outcome; of a failure one dead letter, and else none."""
    finals = [each for each in published if each["final"]]
    if len(finals) != 1:
        answers = [(each["decision"], each["reason"]) for each in published]
        yield f"{named}: {len(finals)} final outcomes among {answers}"
        return
    (final,) = finals
    malformed = final["reason"] == Reason.MALFORMED
    if malformed is _is_event(planned.raw.value):
        yield f"{named}: published as {final['reason']}"
    if final["decision"] == Decision.FAILED:
        yield from _one_dead_letter(named, planned, dead)
    elif dead:
        yield f"{named}: {final['decision']}, and a dead letter"


def _one_dead_letter(named: str, planned: Planned, dead: list[Record]) -> Iterator[str]:
    if len(dead) != 1:
        yield f"{named}: {len(dead)} dead letters"
    elif (dead[0].key, dead[0].value) != (planned.raw.key, planned.raw.value):
        yield f"{named}: other bytes in its dead letter"


def _is_event(value: bytes | None) -> bool:
    try:
        return parse(value or b"") is not None
    except EnvelopeError:
        return False


def _by_source(letters: Iterable[Record]) -> dict[tuple[str, int, int], list[Record]]:
    found: dict[tuple[str, int, int], list[Record]] = defaultdict(list)
    for letter in letters:
        said = {name: value.decode() for name, value in letter.headers}
        topic, partition, offset = (
            said.get(f"dlq.source.{part}", "-1") for part in ("topic", "partition", "offset")
        )
        found[(topic, int(partition), int(offset))].append(letter)
    return found


def _alike(outcome: Mapping[str, Any]) -> str:
    """The same for outcomes that are valid together, or not."""
    source = _stood_for(outcome["source"], _ALIKE_SOURCE)
    return json.dumps(_stood_for({**outcome, "source": source}, _ALIKE))


def _stood_for(
    held: Mapping[str, Any], alike: Mapping[str, tuple[re.Pattern[str], object]]
) -> dict[str, Any]:
    changed = dict(held)
    for name, (pattern, same) in alike.items():
        value = held.get(name)
        if isinstance(value, type(same)) and pattern.fullmatch(str(value)):
            changed[name] = same
    return changed


def _in_words(error: ValidationError) -> str:
    """Where the schema is not kept, by the innermost of what it says."""
    inmost = best_match([error]) or error
    return f"{inmost.json_path}: {inmost.message[:200]}"


def _texts(held: object, path: str = "$") -> Iterator[tuple[str, str]]:
    if isinstance(held, str):
        yield path, held
    elif isinstance(held, dict):
        for name, each in held.items():
            yield from _texts(each, f"{path}.{name}")
    elif isinstance(held, list):
        for each in held:
            yield from _texts(each, f"{path}[]")


def _controls(text: str) -> bool:
    return any(unicodedata.category(char) == _CONTROL for char in text)
