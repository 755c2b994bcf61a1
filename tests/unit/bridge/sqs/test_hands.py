"""What is held stays hidden, and what is deleted is let go."""

from __future__ import annotations

from streams.bridge.sqs.lease import LONGEST_SECONDS
from streams.errors import QueueAway
from tests.support.memory_queue import SQS_LONGEST
from tests.unit.bridge.sqs.scene import Scene, event


async def test_what_sqs_did_not_delete_is_deleted_by_the_next_try(scene: Scene) -> None:
    scene.queue.deletions_to_fail = 7
    scene.queue.send(*(event(f"i-{number}") for number in range(10)))
    async with scene.running():
        await scene.until(lambda: not scene.queue.lying, "all are deleted")
    assert scene.measured("deleted_total") == 10
    assert len(scene.publisher.records) == 10


async def test_deletions_are_batched(scene: Scene) -> None:
    scene.publisher.gate.clear()
    scene.queue.send(*(event(f"i-{number}") for number in range(40)))
    async with scene.running():
        await scene.until(lambda: scene.measured("held") == 40, "all are in our hands")
        scene.publisher.gate.set()
        await scene.until(lambda: not scene.queue.lying, "all are deleted")
    assert scene.queue.asked["delete"] <= 8


async def test_while_nothing_can_be_deleted_nothing_comes_again(scene: Scene) -> None:
    scene.queue.failures["delete"] = QueueAway("no answer", "no-answer")
    scene.queue.send(*(event(f"i-{number}") for number in range(15)))
    async with scene.running():
        await scene.until(lambda: scene.ended("accepted") == 15, "Kafka has them")
        await scene.pass_time(3 * scene.queue.seconds)
        assert scene.queue.visible == 0
        assert scene.measured("held") == 15
        del scene.queue.failures["delete"]
        await scene.until(lambda: not scene.queue.lying, "all are deleted")
    assert scene.queue.most_receives == 1


async def test_a_receipt_that_is_not_valid_any_more_is_let_go(scene: Scene) -> None:
    scene.publisher.gate.clear()
    scene.queue.send(event("i-1"))
    async with scene.running():
        await scene.until(lambda: scene.measured("held") == 1, "it is in our hands")
        (message,) = scene.queue.lying
        assert message.receipt is not None
        scene.queue.refused.add(message.receipt)
        scene.publisher.gate.set()
        await scene.until(lambda: scene.measured("receipts_lost_total") == 1, "it is counted")
        # It comes again under a receipt of its own.
        await scene.until(lambda: not scene.queue.lying, "it is deleted")
    assert scene.queue.most_receives == 2
    assert scene.measured("redelivered_total") == 1
    assert [dict(each.headers)["sqs.receive-count"] for each in scene.publisher.records] == [
        b"1",
        b"2",
    ]
    assert scene.measured("held") == 0


async def test_a_renewal_that_fails_is_tried_again_in_time(scene: Scene) -> None:
    scene.publisher.gate.clear()
    scene.queue.send(*(event(f"i-{number}") for number in range(3)))
    async with scene.running():
        await scene.until(lambda: scene.measured("held") == 3, "all are in our hands")
        scene.queue.failures["hide"] = QueueAway("no answer", "no-answer")
        await scene.until(lambda: scene.queue.asked["hide"] >= 2, "renewals fail")
        del scene.queue.failures["hide"]
        await scene.pass_time(2 * scene.queue.seconds)
        assert scene.queue.visible == 0
        scene.publisher.gate.set()
        await scene.until(lambda: not scene.queue.lying, "all are deleted")
    assert scene.queue.most_receives == 1


async def test_after_twelve_hours_it_is_let_go_and_comes_again(scene: Scene) -> None:
    scene.queue.seconds = LONGEST_SECONDS
    scene.publisher.gate.clear()
    scene.queue.send(event("i-1"))
    async with scene.running():
        await scene.until(lambda: scene.measured("held") == 1, "it is in our hands")
        while scene.ended("expired") == 0:
            # Each time to where the lease is due: halfway of what is left.
            (message,) = scene.queue.lying
            left = message.visible_at - scene.clock.monotonic()
            scene.clock.jump(max(0.0, left / 2))
            await scene.pass_time(0.5)
            # More SQS would refuse. The minute less that is asked for is what it takes for our
            # clock to see the message later than the queue's, as it does where the machine stalls.
            assert message.visible_at - message.received_at <= SQS_LONGEST
        scene.publisher.gate.set()
        scene.clock.jump(60)
        await scene.until(lambda: not scene.queue.lying, "it came again and is deleted")
    assert scene.queue.most_receives == 2
    assert scene.measured("held") == 0
