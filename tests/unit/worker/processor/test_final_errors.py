"""What fails for good is a dead letter and published (promise 7), and what does not fail."""

from __future__ import annotations

import pytest

from streams.core.records import Decision, Reason
from streams.errors import BadRequest, Forbidden, NotFound
from tests.support.world import EVENTS, Worker, World, event, raising


@pytest.mark.parametrize(
    ("error", "reason", "decision"),
    [
        (Forbidden("no scope", status=403), Reason.FORBIDDEN, Decision.FAILED),
        (BadRequest("no", status=400, code="bad"), Reason.BAD_REQUEST, Decision.FAILED),
        (NotFound("gone", status=404), Reason.NOT_FOUND, Decision.NOT_FOUND),
    ],
)
@pytest.mark.parametrize("call", ["fetches", "patches"])
async def test_final_errors(
    error: Exception, reason: Reason, decision: Decision, call: str
) -> None:
    world = World()
    getattr(world, call).append(raising(error))

    await Worker(world).process(event(), offset=2)

    (outcome,) = world.outcomes
    assert (outcome.decision, outcome.reason) == (decision, reason)
    assert outcome.error is not None
    assert outcome.error.message == str(error)
    assert len(world.dead_letters) == (decision is Decision.FAILED)
    assert world.applied == 0
    assert world.journal[-1] == "finished 2"


async def test_a_failed_record_is_in_dead_letters_before_it_is_published() -> None:
    world = World()
    world.fetches.append(raising(Forbidden("give it the scope", status=403)))
    value = event()

    await Worker(world).process(value, offset=2, key=b"any key")

    assert world.journal[-7:] == [
        "verdict leaves",
        "verdict acknowledged",
        "dead letter leaves",
        "dead letter acknowledged",
        "outcome leaves",
        "outcome acknowledged",
        "finished 2",
    ]
    (letter,) = world.dead_letters
    assert (letter.key, letter.value) == (b"any key", value)
    assert letter.named["dlq.reason"] == "forbidden"
    assert letter.named["dlq.message"] == "give it the scope"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"\xff\x00", b"\x00\xffnot JSON"),
        (None, b'{"detail": 1}'),
        (None, b""),
        (b"i-1", None),
        (b"i-1", b"[" * 100_000),
        (b"i-1", event(interactionType="voice").replace(b"i-1", b"../../oauth/token")),
    ],
)
async def test_bytes_that_are_no_event(key: bytes | None, value: bytes | None) -> None:
    world = World()

    await Worker(world).process(value, offset=9, key=key)

    (letter,) = world.dead_letters
    assert (letter.key, letter.value) == (key, value)
    assert letter.named["dlq.reason"] == "malformed-event"
    assert letter.named["dlq.stage"] == "worker"
    source = [letter.named[f"dlq.source.{part}"] for part in ("topic", "partition", "offset")]
    assert source == [EVENTS.topic, "3", "9"]
    (outcome,) = world.outcomes
    assert (outcome.decision, outcome.reason) == (Decision.FAILED, Reason.MALFORMED)
    assert (outcome.interaction_id, outcome.sequence_id, outcome.event_id) == (None, None, None)
    assert outcome.error is not None
    assert world.sent[-1].key == key
    assert world.journal[-1] == "finished 9"
    assert world.records == {}


@pytest.mark.parametrize(
    "time",
    [
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "0001-01-01T00:00:00",
        "1969-12-31T23:59:59.999Z",
        "yesterday",
        "",
    ],
)
async def test_no_time_stops_the_partition(time: str) -> None:
    """A time that no calendar has in UTC counts as none."""
    world = World()

    await Worker(world).process(event(time=time))

    assert world.outcomes[0].decision is Decision.PATCHED
    assert world.journal[-1] == "finished 0"
