"""The bridge from SQS: a message is deleted once Kafka has it, and held within limits while Kafka
is away (promises 7 and 11)."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

FRONT = "streams/bridge/sqs/front.py"
HANDS = "streams/bridge/sqs/hands.py"
LEASE = "streams/bridge/sqs/lease.py"
BATCHES = "streams/bridge/sqs/batches.py"
MESSAGE = "streams/bridge/sqs/message.py"
ROOM = "streams/bridge/sqs/room.py"
LOGGING = "streams/telemetry/logging.py"

UNIT = "tests/unit/bridge/sqs"
TEST_FRONT = f"{UNIT}/test_front.py"
TEST_HANDS = f"{UNIT}/test_hands.py"
TEST_COMMAND = "tests/integration/bridge/sqs/test_command.py"

MUTANTS = (
    Mutant(
        "delete a message before Kafka has it",
        7,
        FRONT,
        "                held.delivering = asyncio.create_task(self._deliver(hands, held))",
        "                held.delivering = asyncio.create_task(self._deliver(hands, held))\n"
        "                hands.delete_soon(held)",
        (f"{TEST_FRONT}::test_an_event_is_deleted_once_kafka_has_it_and_not_before",),
    ),
    Mutant(
        "give back at once what Kafka does not take",
        11,
        FRONT,
        "if isinstance(exc, RecordTooLarge):",
        "if isinstance(exc, PublishError):",
        (f"{TEST_FRONT}::test_what_kafka_does_not_take_is_tried_again_and_stays_hidden",),
    ),
    Mutant(
        "receive while Kafka is away",
        11,
        FRONT,
        "                self._kafka_is_there.clear()\n",
        "                self._kafka_is_there.set()\n",
        (f"{TEST_FRONT}::test_kafka_away_for_longer_than_the_visibility_timeout_makes_no_storm",),
    ),
    Mutant(
        "keep at the end what is not delivered",
        7,
        FRONT,
        "if not held.delivered]",
        "if held.delivered]",
        (f"{TEST_FRONT}::test_at_the_end_the_delivered_are_deleted_and_the_rest_is_given_back",),
    ),
    Mutant(
        "break off the polls at the end",
        7,
        FRONT,
        "await asyncio.wait(polling, timeout=policy.last_polls)",
        "await asyncio.wait(polling, timeout=0)",
        (f"{TEST_FRONT}::test_a_poll_under_way_at_the_end_is_let_end",),
    ),
    Mutant(
        "renew nothing",
        11,
        HANDS,
        "due = [held for held, lease in leases if lease.due <= now]",
        "due: list[Held] = []",
        (
            f"{TEST_FRONT}::test_kafka_away_for_longer_than_the_visibility_timeout_makes_no_storm",
            f"{TEST_HANDS}::test_while_nothing_can_be_deleted_nothing_comes_again",
        ),
    ),
    Mutant(
        "take every deletion for done",
        7,
        HANDS,
        "                left = answers.again\n",
        "                left = []\n",
        (f"{TEST_HANDS}::test_what_sqs_did_not_delete_is_deleted_by_the_next_try",),
    ),
    Mutant(
        "hide a message for ever",
        11,
        LEASE,
        "return min(seconds, left) if left >= 1 else None",
        "return seconds",
        (f"{TEST_HANDS}::test_after_twelve_hours_it_is_let_go_and_comes_again",),
    ),
    Mutant(
        "give back at once, however often",
        11,
        LEASE,
        "    if receive_count <= AT_ONCE:\n",
        "    if True:\n",
        (
            f"{TEST_FRONT}"
            "::test_what_can_not_be_handled_is_given_back_at_once_and_later_more_seldom",
        ),
    ),
    Mutant(
        "count as deleted what SQS does not mention",
        7,
        BATCHES,
        "        if name in succeeded:\n",
        "        if name not in refused:\n",
        (f"{UNIT}/test_batches.py::test_the_answer_to_each",),
    ),
    Mutant(
        "hold all that comes",
        11,
        ROOM,
        "            return False\n",
        "            return True\n",
        (
            f"{TEST_FRONT}::test_the_limits_hold_while_kafka_takes_nothing",
            f"{UNIT}/test_room.py::test_a_poll_has_taken_the_most_that_it_can_bring",
        ),
    ),
    Mutant(
        "replace what is no text in a message",
        7,
        MESSAGE,
        'own = body.encode("utf-8", "surrogatepass")',
        'own = body.encode("utf-8", "replace")',
        (f"{TEST_FRONT}::test_what_is_no_event_is_in_dead_letters_and_then_deleted",),
    ),
    Mutant(
        "log the requests to AWS",
        14,
        LOGGING,
        "    for name in SECRETIVE_LOGGERS:\n",
        "    for name in ():\n",
        (f"{TEST_COMMAND}::test_no_secret_is_logged_at_debug",),
    ),
)
