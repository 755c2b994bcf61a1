"""Sending dead letters back."""

from __future__ import annotations

from dataclasses import replace

from streams.core.records import Source
from streams.kafka.message import Message
from streams.kafka.settings import TopicNames
from streams.operator.redrive import redrive
from streams.wire.dead_letters import Letter
from streams.wire.retries import UNSIGNED, Signed, read_returned
from tests.support.letters import TOPIC, body, letter
from tests.support.recording_publisher import Recording
from tests.support.scripted import LeapingClock

TOPICS = TopicNames("genesys.interaction.")


async def send(*letters: Letter, per_second: float = 1000, signed: Signed = UNSIGNED) -> Recording:
    clock = LeapingClock()
    publisher = Recording(clock)
    sending = redrive(letters, publisher, TOPICS, clock, per_second=per_second, signed=signed)
    async for _ in sending:
        pass
    return publisher


async def test_a_record_of_the_worker_goes_to_retries_as_what_it_was() -> None:
    publisher = await send(letter(0, of=41, redriven=1))

    (sent,) = publisher.sent
    assert (sent.topic, sent.key, sent.value) == (TOPICS.retries, b"i-1", body())
    assert sent.partition == 3
    returned = read_returned(sent.headers)
    assert returned.source == Source(TOPIC, 3, 41)
    assert (returned.redriven, returned.put_off.attempt, returned.put_off.not_before) == (2, 0, 0)


async def test_one_of_the_bridge_goes_to_events() -> None:
    publisher = await send(letter(0, of=None, value=body("i-9")))

    assert publisher.sent == [Message(TOPICS.events, key=b"i-9", value=body("i-9"))]


async def test_who_and_why_are_kept_wherever_it_goes() -> None:
    publisher = await send(
        letter(0, of=41), letter(1, of=None), signed=Signed("Ada", "it is mended")
    )

    for sent in publisher.sent:
        named = dict(sent.headers)
        assert (named["retry.by"], named["retry.why"]) == (b"Ada", b"it is mended")


async def test_a_strangers_event_from_retries_goes_to_events() -> None:
    """It was never there, so it has no offset that a worker could go by."""
    stranger = replace(letter(0), source=Source(TOPICS.retries, 3, 500))

    publisher = await send(stranger)

    assert publisher.sent == [Message(TOPICS.events, key=b"i-1", value=stranger.value)]


async def test_no_more_a_second_than_asked_for() -> None:
    publisher = await send(*(letter(offset, of=offset) for offset in range(5)), per_second=2)

    gaps = [after - before for before, after in zip(publisher.at, publisher.at[1:], strict=False)]
    assert gaps == [0.5] * 4
