"""Is it us or Genesys? From what the workers say, in whole sentences, the gravest first. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from streams.console.workers.seen import Called
from streams.console.workers.watch import Worker

# Of the requests of a minute: with fewer, one slow answer would be an outage.
ENOUGH_REQUESTS, FAILING_SHARE = 5, 0.05

# Above this share of the budget, what waits waits for the budget.
BUDGET_FULL = 0.9


class Whose(StrEnum):
    """Who has to act."""

    GENESYS = "genesys"
    US = "us"
    NOBODY = "nobody"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    whose: Whose
    what: str


def findings(workers: Sequence[Worker], budget_per_minute: int) -> list[Finding]:
    """At least one. ``budget_per_minute``: of all workers together."""
    found = [*_ours(workers), *_theirs(workers)]
    if not workers:
        return [
            Finding(
                Whose.UNKNOWN,
                "No worker is named in WORKER_URLS, so gate, breaker and token are not known; "
                "what was decided is below",
            )
        ]
    return found or list(_quiet(workers, budget_per_minute))


def _ours(workers: Sequence[Worker]) -> Iterator[Finding]:
    for each in workers:
        if each.silent is not None:
            yield Finding(Whose.US, f"{each.url} does not answer ({each.silent})")
        elif each.last is not None and each.last.not_ready is not None:
            yield Finding(Whose.US, f"{each.url} is not ready: {each.last.not_ready}")
    refused = together(each.token() for each in workers).of("400", "401", "403")
    if refused:
        yield Finding(
            Whose.US,
            f"Genesys Cloud gave no token {refused:.0f} times in the last minute: client id, "
            "secret, scopes or region are wrong",
        )
    calls = together(each.api() for each in workers)
    if forbidden := calls.of("403"):
        yield Finding(
            Whose.US,
            f"Genesys Cloud forbade {forbidden:.0f} requests in the last minute (403): a scope or "
            "a permission is missing; the dead letters name it",
        )


def _theirs(workers: Sequence[Worker]) -> Iterator[Finding]:
    breakers = [each.last.breaker for each in workers if each.last]
    if broken := [each for each in breakers if each not in ("", "closed")]:
        yield Finding(
            Whose.GENESYS,
            f"Genesys Cloud fails, so the breaker is {broken[0]} at {len(broken)} of "
            f"{len(workers)}: nothing is sent but a few probes, and records are put off; they come "
            "back by themselves",
        )
    calls = together(each.api() for each in workers)
    failed = calls.of("5xx", "ApiTimeout", "ConnectionLost")
    if calls.all >= ENOUGH_REQUESTS and failed / calls.all > FAILING_SHARE:
        yield Finding(
            Whose.GENESYS,
            f"Genesys Cloud failed {failed:.0f} of {calls.all:.0f} requests in the last minute "
            f"({_named(calls)})",
        )
    tokens = together(each.token() for each in workers)
    if away := tokens.of("5xx", "ApiTimeout", "ConnectionLost"):
        yield Finding(
            Whose.GENESYS, f"Genesys Cloud's token endpoint failed {away:.0f} times in a minute"
        )
    if slowed := calls.of("429"):
        yield Finding(
            Whose.GENESYS,
            f"Genesys Cloud asked for fewer requests {slowed:.0f} times in the last minute (429); "
            "the gate pauses, and nothing is lost",
        )


def _quiet(workers: Sequence[Worker], budget_per_minute: int) -> Iterator[Finding]:
    waiting = sum(each.last.gate_waiting for each in workers if each.last)
    used = requests_per_minute(workers)
    if waiting and used >= BUDGET_FULL * budget_per_minute:
        yield Finding(
            Whose.NOBODY,
            f"{waiting:.0f} requests wait for their turn: the budget of {budget_per_minute} a "
            "minute is used up, and that is what sets the pace",
        )
    else:
        number = "The worker is" if len(workers) == 1 else f"All {len(workers)} workers are"
        yield Finding(Whose.NOBODY, f"{number} ready and Genesys Cloud answers: nothing is wrong")


def requests_per_minute(workers: Sequence[Worker]) -> float:
    """Those to the API, of all workers together."""
    return sum(each.api().all * 60 / each.seconds for each in workers if each.seconds)


def together(called: Iterator[Called]) -> Called:
    statuses: dict[str, float] = {}
    for each in called:
        for status, number in each.statuses.items():
            statuses[status] = statuses.get(status, 0) + number
    return Called(statuses)


def _named(calls: Called) -> str:
    failed = {
        status: number
        for status, number in calls.statuses.items()
        if status.startswith("5") or not status.isdigit()
    }
    ranked = sorted(failed.items(), key=lambda each: -each[1])
    return ", ".join(f"{status}: {number:.0f}" for status, number in ranked)
