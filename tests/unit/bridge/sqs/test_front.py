"""From the queue into Kafka, and only then out of the queue."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from streams.bridge.sqs.room import RoomPolicy
from streams.errors import PublishError, QueueAway, QueueRefused, RecordTooLarge, WriteRefused
from tests.unit.bridge.sqs.scene import POLICY, Scene, event

TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"


async def test_an_event_is_deleted_once_kafka_has_it_and_not_before(scene: Scene) -> None:
    scene.publisher.gate.clear()
    scene.queue.send(event("i-1"))
    async with scene.running():
        await scene.until(lambda: scene.measured("held") == 1, "it is in our hands")
        await scene.pass_time(10)
        assert scene.queue.asked["delete"] == 0
        scene.publisher.gate.set()
        await scene.until(lambda: not scene.queue.lying, "it is deleted")
    (record,) = scene.publisher.records
    assert (record.topic, record.key, record.value) == ("p.events", b"i-1", event("i-1").encode())
    headers = dict(record.headers)
    assert headers["sqs.receive-count"] == b"1"
    assert headers["content-type"] == b"application/json"
    assert scene.ended("accepted") == scene.measured("deleted_total") == 1
    assert scene.measured("held") == scene.measured("held_bytes") == 0


async def test_what_is_no_event_is_in_dead_letters_and_then_deleted(scene: Scene) -> None:
    scene.queue.send("\ud83d no event", "", json.dumps({"detail-type": "another"}))
    async with scene.running():
        await scene.until(lambda: not scene.queue.lying, "all are deleted")
    letters = {record.value for record in scene.publisher.records}
    assert letters == {"\ud83d no event".encode("utf-8", "surrogatepass"), b""}
    assert {record.topic for record in scene.publisher.records} == {"p.dead-letters"}
    for record in scene.publisher.records:
        headers = dict(record.headers)
        assert headers["dlq.stage"] == b"bridge"
        assert headers["sqs.receive-count"] == b"1"
    assert (scene.ended("malformed"), scene.ended("skipped")) == (2, 1)


async def test_the_senders_trace_goes_on(scene: Scene) -> None:
    scene.queue.send(event("i-1"), trace=TRACE)
    async with scene.running():
        await scene.until(lambda: not scene.queue.lying, "it is deleted")
    carried = dict(scene.publisher.records[0].headers)["traceparent"].decode()
    assert carried.split("-")[1] == "5759e988bd862e3fe1be46a994272793"


async def test_kafka_away_for_longer_than_the_visibility_timeout_makes_no_storm(
    scene: Scene,
) -> None:
    scene.publisher.gate.clear()
    scene.queue.send(*(event(f"i-{number}") for number in range(35)))
    async with scene.running():
        await scene.until(lambda: scene.measured("held") == 35, "all are in our hands")
        scene.kafka_trouble = "away"
        await scene.pass_time(2 * scene.queue.seconds)
        polls = scene.queue.asked["receive"]
        scene.queue.send(*(event(f"later-{number}") for number in range(5)))
        await scene.pass_time(3 * scene.queue.seconds)
        assert scene.bridge.not_ready() == "away"
        assert scene.queue.asked["receive"] == polls
        assert scene.queue.visible == 5
        assert scene.measured("held") == 35
        scene.kafka_trouble = None
        scene.publisher.gate.set()
        await scene.until(lambda: not scene.queue.lying, "all are deleted")
    assert scene.queue.most_receives == 1
    assert len(scene.publisher.keys()) == len(set(scene.publisher.keys())) == 40
    assert scene.measured("redelivered_total") == 0


@pytest.mark.parametrize(
    "failure", [PublishError("no acknowledgement"), WriteRefused("User:bridge may not Write")]
)
async def test_what_kafka_does_not_take_is_tried_again_and_stays_hidden(
    scene: Scene, failure: PublishError
) -> None:
    scene.publisher.failure = failure
    scene.queue.send(event("i-1"))
    async with scene.running():
        await scene.until(lambda: scene.measured("held") == 1, "it is in our hands")
        await scene.pass_time(2 * scene.queue.seconds)
        assert scene.queue.visible == 0
        scene.publisher.failure = None
        await scene.until(lambda: not scene.queue.lying, "it is deleted")
    assert scene.queue.most_receives == 1
    assert scene.publisher.keys() == [b"i-1"]


async def test_what_can_not_be_handled_is_given_back_at_once_and_later_more_seldom(
    scene: Scene,
) -> None:
    scene.publisher.failure = RecordTooLarge("too large for the topic")
    scene.queue.send(event("i-1"))
    async with scene.running():
        await scene.until(lambda: scene.ended("failed") == 5, "it failed five times")
    assert [seconds for _, seconds in scene.queue.hidden][:5] == [0, 0, 0, 2, 4]
    assert scene.queue.asked["delete"] == 0
    assert len(scene.queue.lying) == 1


async def test_at_the_end_the_delivered_are_deleted_and_the_rest_is_given_back(
    scene: Scene,
) -> None:
    scene.queue.send(*(event(f"i-{number}") for number in range(12)))
    async with scene.running():
        await scene.until(lambda: not scene.queue.lying, "the first are deleted")
        scene.publisher.gate.clear()
        scene.queue.send(*(event(f"left-{number}") for number in range(12)))
        await scene.until(lambda: scene.measured("held") == 12, "the others are in our hands")
        assert scene.queue.visible == 0
    assert scene.queue.visible == len(scene.queue.lying) == 12
    assert scene.ended("stopped") == 12
    assert scene.measured("held") == 0


async def test_a_poll_under_way_at_the_end_is_let_end(scene: Scene) -> None:
    async with scene.running():
        await scene.until(lambda: scene.queue.asked["receive"], "a poll is under way")
    assert scene.queue.broken_off == 0
    assert scene.queue.asked["receive"] == 1, "none has begun since"


async def test_the_limits_hold_while_kafka_takes_nothing(scene: Scene) -> None:
    scene.use(replace(POLICY, room=RoomPolicy(messages=30)))
    scene.publisher.gate.clear()
    scene.queue.send(*(event(f"i-{number}") for number in range(100)))
    async with scene.running():
        await scene.until(lambda: scene.measured("held") == 30, "as many as may be are held")
        await scene.pass_time(scene.queue.seconds)
        assert scene.measured("held") == 30
        assert scene.queue.visible == 70
        scene.publisher.gate.set()
        await scene.until(lambda: not scene.queue.lying, "all are deleted")
    assert scene.queue.most_receives == 1


@pytest.mark.parametrize(
    ("operation", "failure"),
    [
        ("visibility", QueueRefused("no such queue", "no-queue")),
        ("receive", QueueAway("no answer", "no-answer")),
        ("delete", QueueRefused("not allowed", "denied")),
    ],
)
async def test_while_sqs_fails_it_is_not_ready_and_then_goes_on(
    scene: Scene, operation: str, failure: QueueRefused | QueueAway
) -> None:
    scene.queue.failures[operation] = failure
    scene.queue.send(event("i-1"))
    async with scene.running():
        await scene.until(lambda: scene.queue.asked[operation] >= 3, "it is tried again")
        assert scene.bridge.not_ready() == str(failure)
        del scene.queue.failures[operation]
        await scene.until(lambda: not scene.queue.lying, "it is deleted")
        await scene.until(lambda: scene.bridge.not_ready() is None, "it is ready")
    assert scene.publisher.keys() == [b"i-1"]


async def test_it_stops_while_sqs_does_not_answer(scene: Scene) -> None:
    scene.queue.failures["visibility"] = QueueAway("no answer", "no-answer")
    async with scene.running():
        await scene.until(lambda: scene.queue.asked["visibility"] >= 2, "it is tried again")
    assert scene.bridge.not_ready() == "no answer"
