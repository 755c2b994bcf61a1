"""What a person is told of what waits, as the command and the console say it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from streams.core.stuck import Cause
from streams.operator.stuck.account import Done, NotTakenUp, Teller, Waiting


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a record waits for, and what to do about it, as docs/stuck.md has it."""

    waits_for: str
    do: str


MEANINGS: Mapping[Cause, Meaning] = {
    Cause.BREAKER: Meaning(
        "Genesys Cloud, which fails: probes alone go out, the next at next try",
        "nothing; Genesys' status page",
    ),
    Cause.GATE: Meaning(
        "the quiet that Genesys Cloud has asked for (429)",
        "nothing; a higher limit if it lasts for hours",
    ),
    Cause.BUDGET: Meaning(
        "its turn: so many requests a minute are allowed", "limits, if it is always so"
    ),
    Cause.TOKEN: Meaning("an access token", "see `no access token` in the worker's log"),
    Cause.CALL: Meaning("the answer to a request", "nothing: it is cut off and tried again"),
    Cause.RETRY: Meaning("a moment, until a request that failed is tried again", "nothing"),
    Cause.AGENT: Meaning(
        "the time of a look that is planned: until then the agent may choose a code", "nothing"
    ),
    Cause.PUT_OFF: Meaning("the time until which it was put off", "explain tells its tries"),
    Cause.LANE: Meaning("the record before it, of the same interaction", "look at that one"),
    Cause.SLOT: Meaning(
        "one of MAX_IN_FLIGHT, or of the part of them for records that come back",
        "look at what the others wait for",
    ),
    Cause.KAFKA: Meaning(
        "an acknowledgement of Kafka, or the answer to a heartbeat",
        "if it lasts for seconds: the brokers",
    ),
    Cause.FAILURES: Meaning(
        "you: more have failed than DEAD_LETTER_LIMIT allows",
        "/readyz says it; dead letters, mend, start again",
    ),
    Cause.BEHIND: Meaning(
        "its worker, which has not taken it up: it has enough in memory",
        "look at what the older ones wait for",
    ),
    Cause.NO_WORKER: Meaning(
        "a worker: none has its partition, or the one that has it does not answer",
        "start it, or see why it ended",
    ),
    Cause.UNKNOWN: Meaning(
        "nothing that can be named: after STALL_SECONDS the worker ends over it",
        "keep the log, report it",
    ),
}


def done_sentence(done: Done) -> str:
    """When all will be done, from what, and whether that is within EventBridge's day."""
    if not done.waiting:
        return "nothing waits"
    each = done.requests / done.waiting
    waits = f"{done.waiting:,} wait, {each:.3g} requests each, {done.per_minute:,.0f} a minute"
    if done.at is None:
        return f"not done before somebody acts: {'; '.join(done.never)}; {waits}"
    day = "within" if done.within_a_day else "NOT within"
    return f"done at {done.at}; {waits}; {day} 24 hours of each event"


def place_of(each: Waiting | NotTakenUp) -> str:
    """Where it was read, and how many there are behind it that nobody has taken up either."""
    place = f"{each.record.topic}/{each.record.partition}/{each.record.offset}"
    if isinstance(each, NotTakenUp) and each.records > 1:
        place += f" and {each.records - 1:,} more"
    return place


def teller_sentence(teller: Teller) -> str:
    if teller.error is not None:
        return f"{teller.worker}: {teller.error}"
    held = ", ".join(map(str, teller.partitions)) or "none"
    more = (teller.open or 0) - (teller.named or 0)
    beyond = f", {more} of them not named here" if more else ""
    unfit = f"; not ready: {teller.not_ready}" if teller.not_ready is not None else ""
    return f"{teller.worker}: {teller.open} open{beyond}, partitions {held}{unfit}"
