"""What workers and Kafka say of an afternoon on which Genesys Cloud fails."""

from __future__ import annotations

from streams.clock import rfc3339
from streams.core.records import Source
from streams.core.stuck import Cause
from streams.operator.stuck.account import Account, Done, Gap, NotTakenUp, Teller, Waiting

EVENTS = "genesys.interaction.events"
WORKERS = ("http://worker-1:6066", "http://worker-2:6066")


def waiting(cause: Cause, since: str | None, number: int = 0, **more: object) -> Waiting:
    """A record with this cause, of the first worker unless ``more`` says otherwise."""
    values: dict[str, object] = {
        "worker": WORKERS[0],
        "record": Source(EVENTS, 3, 1_841 + number),
        "source": Source(EVENTS, 3, 1_841 + number),
        "interaction_id": f"call-{17 + number}",
        "since": since,
        "taken_up_at": since,
        "cause": cause,
    }
    return Waiting(**(values | more))  # type: ignore[arg-type]  # what a test gives fits


def done(at: str | None, *never: str, number: int = 3_120, within_a_day: bool = True) -> Done:
    """When all of these will be done, or why that can not be said."""
    return Done(at, None if never else 1.0, number, 2.0 * number, 300.0, never, None, within_a_day)


def teller(worker: str, *, error: str | None = None, named: int = 4) -> Teller:
    told = None if error else named
    return Teller(worker, (0, 1, 2, 3), told and told + 2, told, None, error)


def an_account(now_ms: int, *, gap: str | None = None) -> Account:
    """Five that wait, and when all is done: in twelve minutes and a half."""

    def ago(seconds: float) -> str:
        return rfc3339(now_ms / 1000 - seconds)

    records: tuple[Waiting | NotTakenUp, ...] = (
        waiting(Cause.BREAKER, ago(250), requests=3, next_at=ago(-20)),
        waiting(Cause.LANE, ago(240), 1, interaction_id="call-17"),
        waiting(Cause.CALL, ago(130), 2, requests=1, sent_at=ago(2), worker=WORKERS[1]),
        waiting(
            *(Cause.PUT_OFF, ago(120), 3),
            next_at=ago(-90),
            attempt=2,
            put_off_for="api-unavailable",
        ),
        NotTakenUp(WORKERS[1], Source(EVENTS, 7, 90), 312, "call-52", ago(100), Cause.BEHIND),
    )
    return Account(
        records,
        tuple(teller(each) for each in WORKERS),
        () if gap is None else (Gap(gap),),
        done(ago(-750), number=1_875),
    )
