"""A record's fault is the record's (promise 14), and what follows from it for the others."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

DEFERRAL = "streams/core/deferral.py"
FAULTS = "streams/core/faults.py"
INCOMING = "streams/worker/incoming.py"
REDELIVERY = "streams/core/redelivery.py"
REPORT = "streams/worker/outcomes.py"
RETURNED = "streams/wire/retries.py"
DECIDER = "streams/worker/decider.py"
RECORD_FAULTS = "streams/worker/record_faults.py"
LIMIT = "streams/worker/dead_letter_limit.py"
PROCESSOR = "streams/worker/processor.py"
TEXT = "streams/core/foreign_text.py"

TEST_DEFERRAL = "tests/unit/core/test_deferral.py"
TEST_FAULTS = "tests/unit/core/test_faults.py"
TEST_INCOMING = "tests/unit/worker/test_incoming.py"
TEST_PUBLISHER = "tests/integration/kafka/test_publisher.py"
TEST_RECORD_FAULTS = "tests/unit/worker/test_record_faults.py"
TEST_REDELIVERY = "tests/unit/core/test_redelivery.py"
TEST_TEXT = "tests/unit/core/test_foreign_text.py"

MUTANTS = (
    Mutant(
        "let a fault of ours on one record end the worker",
        14,
        PROCESSOR,
        """\
        except Exception as fault:  # noqa: BLE001 - it becomes the record's outcome
            return await self._verdict_on_fault(record, record.event, fault)
""",
        """\
        except ZeroDivisionError as fault:
            return await self._verdict_on_fault(record, record.event, fault)
""",
        (f"{TEST_RECORD_FAULTS}::test_a_fault_of_ours_puts_the_record_off",),
    ),
    Mutant(
        "take a full disk for the record's fault",
        14,
        RECORD_FAULTS,
        "NOT_THE_RECORDS = (WorkerError, KafkaError, MemoryError)",
        "NOT_THE_RECORDS = (KafkaError, MemoryError)",
        (f"{TEST_RECORD_FAULTS}::test_what_is_not_the_records_fault_ends_the_worker_as_ever",),
    ),
    Mutant(
        "put faults of ours on all records off for hours, and say nothing",
        14,
        LIMIT,
        "        failed = internal or verdict.decision in",
        "        failed = verdict.decision in",
        (f"{TEST_RECORD_FAULTS}::test_faults_of_ours_on_most_records_stop_the_worker",),
    ),
    Mutant(
        "let a dead letter of nothing wait for an empty queue",
        14,
        "streams/kafka/fence.py",
        "        sent: asyncio.Future[Any] = await self.send(\n",
        """\
        if message.key is None and message.value is None:
            batch = self.create_batch()
            batch.append(timestamp=None, key=None, value=None, headers=list(message.headers))
            batch.close()
            return await self.send_batch(batch, message.topic, partition=message.partition)
        sent: asyncio.Future[Any] = await self.send(
""",
        (f"{TEST_PUBLISHER}::test_a_record_of_nothing_is_queued_like_any_other",),
    ),
    Mutant(
        "handle a null header as bytes",
        14,
        INCOMING,
        "for name, value in named if value is not None)",
        "for name, value in named)",
        (f"{TEST_INCOMING}::test_whatever_a_record_holds_it_is_read",),
    ),
    Mutant(
        "believe any time that a record has",
        14,
        INCOMING,
        "timestamp_ms is None or not 0 < timestamp_ms <= now * 1000",
        "timestamp_ms is None",
        (f"{TEST_INCOMING}::test_a_time_that_cannot_be_is_now",),
    ),
    Mutant(
        "read a record that an operator skips",
        14,
        INCOMING,
        "(tp.topic, tp.partition, record.offset) in skipped",
        "(tp.topic, tp.partition, -1) in skipped",
        (f"{TEST_INCOMING}::test_a_skipped_record_is_not_read",),
    ),
    Mutant(
        "take a header's number that Kafka has not",
        14,
        RETURNED,
        "    if number > _LARGEST:\n",
        "    if number < 0:\n",
        (f"{TEST_INCOMING}::test_a_number_that_kafka_has_not_is_none",),
    ),
    Mutant(
        "keep an error's texts however long they are",
        11,
        FAULTS,
        "correlation_id and foreign_text(correlation_id, CORRELATION_ID_LENGTH)",
        "correlation_id",
        (f"{TEST_FAULTS}::test_its_texts_are_bounded_and_printable",),
    ),
    Mutant(
        "let control characters of others through",
        14,
        TEXT,
        "char if char.isprintable() else REPLACEMENT",
        "char",
        (f"{TEST_TEXT}::test_escape_sequences_lose_their_escape",),
    ),
    Mutant(
        "end the worker over a dead letter that is too large",
        7,
        REPORT,
        "            await self._publish_without_bytes(letter, error)\n",
        "            raise\n",
        (
            f"{TEST_RECORD_FAULTS}::test_a_dead_letter_too_large_for_its_topic_says_where_the_bytes_are",
        ),
    ),
    Mutant(
        "decide at the first look at an API that lags",
        7,
        DEFERRAL,
        "    if event.state != COMPLETED or not _may_be_lag(verdict):\n",
        "    if verdict is not None:\n",
        (f"{TEST_RECORD_FAULTS}::test_an_interaction_that_shows_later_gets_its_code",),
    ),
    Mutant(
        "look again for ever",
        11,
        DEFERRAL,
        " or now_ms >= visible_by or crowded",
        " or crowded",
        (f"{TEST_DEFERRAL}::test_it_is_looked_at_four_times_and_the_last_look_decides",),
    ),
    Mutant(
        "settle for good what has no end time",
        7,
        "streams/core/decision.py",
        "verdict.reason in _LASTING and not verdict.provisional",
        "verdict.reason in _LASTING",
        (f"{TEST_DEFERRAL}::test_a_missing_end_settles_nothing_and_a_short_call_does",),
    ),
    Mutant(
        "compare offsets of a log that was cut",
        6,
        REDELIVERY,
        "        last_offset=None,\n        unpublished=(),\n",
        "        unpublished=(),\n",
        (f"{TEST_REDELIVERY}::test_a_new_record_at_an_old_offset_is_decided",),
    ),
    Mutant(
        "decide again what a cut log still has",
        6,
        REDELIVERY,
        "    if _decided_in_earlier_life(record, event, at):\n        return Redelivery(None)\n",
        "",
        (
            f"{TEST_REDELIVERY}::test_an_old_record_that_the_cut_log_still_has_is_not_published_again",
        ),
    ),
    Mutant(
        "publish the times of the publishing instead of the decision's",
        6,
        REPORT,
        "            end_to_end_ms=verdict.end_to_end_ms,\n",
        "            end_to_end_ms=record.taken_up_at - record.occurred_at,\n",
        (f"{TEST_RECORD_FAULTS}::test_a_verdict_published_again_has_the_times_of_the_decision",),
    ),
    Mutant(
        "go on although the API knows none of the interactions",
        7,
        LIMIT,
        "verdict.decision in (Decision.FAILED, Decision.NOT_FOUND)",
        "verdict.decision is Decision.FAILED",
        (f"{TEST_RECORD_FAULTS}::test_interactions_that_the_api_does_not_know_stop_the_worker",),
    ),
)
