"""From the intent to the outcome (promises 3 to 7): in which order effects are acknowledged."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

DECISION = "streams/core/decision.py"
REDELIVERY = "streams/core/redelivery.py"
PROCESSOR = "streams/worker/processor.py"
DISPATCHER = "streams/worker/dispatcher.py"
TABLE = "streams/worker/state/table.py"

TEST_UNCLEAR = "tests/unit/genesys/client/test_no_clear_answer.py"
TEST_DECISION = "tests/unit/core/decision"
TEST_PROCESSOR = "tests/unit/worker/processor"
TEST_DISPATCHER = "tests/unit/worker/dispatcher"
TEST_WRITING = "tests/unit/worker/state/table/test_writing.py"

MUTANTS = (
    # 3 Finish last
    Mutant(
        "finish before the outcome is acknowledged",
        3,
        PROCESSOR,
        """\
            await self._publish(record, verdict, span)
            record.finish()
""",
        """\
            record.finish()
            await self._publish(record, verdict, span)
""",
        (f"{TEST_PROCESSOR}/test_ownership.py::test_ownership_lost",),
    ),
    Mutant(
        "queued passes for acknowledged",
        3,
        "streams/kafka/publisher.py",
        """\
        return await (await self.enqueue(message))
""",
        """\
        await self.enqueue(message)
        return Acknowledged(message.topic, message.partition or 0, 0)
""",
        ("tests/integration/kafka/test_publisher.py::test_published_means_acknowledged",),
    ),
    Mutant(
        "write the store before the changelog has it",
        3,
        TABLE,
        "        runs = await self._publisher.enqueue_all(messages)\n",
        """\
        for (partition, interaction_id), record in records.items():
            with self._stores.using(partition) as store:
                store.put(interaction_id.encode(), record)
        runs = await self._publisher.enqueue_all(messages)
""",
        (
            f"{TEST_WRITING}::test_nothing_is_in_the_store_before_the_changelog_has_it",
            f"{TEST_WRITING}::test_what_the_changelog_refused_is_not_in_the_store",
        ),
    ),
    # 4 Intent first
    Mutant(
        "skip the intent",
        4,
        PROCESSOR,
        """\
        if intended is not None:
            await self._commits.write(record.assignment, record.tp.partition, intended)
""",
        "",
        (
            f"{TEST_PROCESSOR}/test_acknowledgements.py::test_each_step_waits_for_the_one_before",
            f"{TEST_PROCESSOR}/test_acknowledgements.py::test_intent_names_the_record_and_the_code",
            f"{TEST_PROCESSOR}/test_crashes.py::test_crash",
        ),
    ),
    # 5 In doubt, look
    Mutant(
        "skip the look at what a crash left in doubt",
        5,
        DECISION,
        """\
    if in_doubt(record, offset):
        return Fetch()
    match standing""",
        """\
    if record.intent is not None and record.intent.offset == offset:
        return Patch(record.intent.disposition_code_id, None, 0)
    match standing""",
        (
            f"{TEST_DECISION}/test_in_doubt.py::TestInDoubt::test_the_very_record_looks_first",
            f"{TEST_PROCESSOR}/test_in_doubt.py::test_doubt_left_by_a_crash_is_looked_at_first",
            f"{TEST_PROCESSOR}/test_crashes.py::test_crash",
        ),
    ),
    Mutant(
        "skip the look after a PATCH without an answer",
        5,
        DECISION,
        """\
    if patch is not None and error.maybe_applied:
        return Fetch()
""",
        """\
    if patch is not None and error.maybe_applied:
        return patch
""",
        (
            f"{TEST_PROCESSOR}/test_in_doubt.py"
            "::test_applied_without_an_answer_is_found_by_looking",
            f"{TEST_PROCESSOR}/test_in_doubt.py::test_every_patch_follows_a_look_of_its_own",
        ),
    ),
    Mutant(
        "take our own code for somebody else's",
        5,
        DECISION,
        "interaction.disposition_code_id == sent.disposition_code_id",
        "interaction.disposition_code_id is None",
        (
            f"{TEST_DECISION}/test_in_doubt.py::TestInDoubt::test_our_code_there_is_our_patch",
            f"{TEST_PROCESSOR}/test_crashes.py::test_crash",
        ),
    ),
    Mutant(
        "send a PATCH in doubt again without looking",
        5,
        "streams/genesys/retry.py",
        "            return not error.maybe_applied and",
        "            return",
        (
            f"{TEST_UNCLEAR}::test_5xx_of_a_patch_is_raised_at_once_for_it_may_have_been_applied",
            f"{TEST_UNCLEAR}::test_a_time_out_of_a_patch_is_in_doubt",
        ),
    ),
    Mutant(
        "PATCH whatever has become of the interaction since the GET",
        5,
        "streams/genesys/interactions.py",
        "    if etag is not None:\n",
        "    if etag == '':\n",
        ("tests/unit/genesys/test_interactions.py::test_the_patch",),
    ),
    # 6 Same record, same answer
    Mutant(
        "decide a record anew that is processed again",
        6,
        "streams/worker/group_commit.py",
        "                await self._table.put_all(group.assignment, values)\n",
        "",
        (
            f"{TEST_PROCESSOR}/test_same_record_again.py::test_the_same_offset_again_publishes_the_same",
            f"{TEST_PROCESSOR}/test_crashes.py::test_crash",
        ),
    ),
    Mutant(
        "report Kafka's redelivery as a duplicate",
        6,
        REDELIVERY,
        "if at.offset == record.last_offset and record.verdict is not None:",
        "if at.offset == record.last_offset and record.verdict is None:",
        (
            f"{TEST_PROCESSOR}/test_same_record_again.py::test_the_same_offset_again_publishes_the_same",
            f"{TEST_PROCESSOR}/test_crashes.py::test_crash",
        ),
    ),
    Mutant(
        "publish a record again that a later one proves published",
        6,
        REDELIVERY,
        "    return Redelivery(next((",
        "    return None\n    return Redelivery(next((",
        (
            f"{TEST_PROCESSOR}/test_same_record_again.py"
            "::test_lower_offset_is_finished_without_a_word",
        ),
    ),
    Mutant(
        "give the outcome a new id each time",
        6,
        "streams/wire/outcomes.py",
        "_NAMESPACE + name.encode()",
        "uuid.uuid4().bytes",
        (
            f"{TEST_PROCESSOR}/test_same_record_again.py::test_the_same_offset_again_publishes_the_same",
        ),
    ),
    # 7 Nothing vanishes
    Mutant(
        "dedup before the effect: seen before the work is done",
        7,
        PROCESSOR,
        "        verdict, known = await self._decide(record, event, known, resting)\n",
        """\
        from streams.core.sequence import remember
        now_ms, seen = round(self._clock.time() * 1000), remember(known.seen, event)
        seen = msgspec.structs.replace(known, seen=seen, updated_at=now_ms)
        await self._commits.write(record.assignment, record.tp.partition, seen)
        verdict, known = await self._decide(record, event, known, resting)
""",
        (
            f"{TEST_PROCESSOR}/test_acknowledgements.py::test_each_step_waits_for_the_one_before",
            f"{TEST_PROCESSOR}/test_crashes.py::test_crash",
        ),
    ),
    Mutant(
        "answer before Kafka has acknowledged",
        7,
        "streams/bridge/link.py",
        """\
            at = await self._publisher.publish(message)
""",
        """\
            sending = self._publisher.publish(message)
            asyncio.ensure_future(sending).add_done_callback(asyncio.Future.exception)
            at = Acknowledged(message.topic, 0, 0)
""",
        (
            "tests/unit/bridge/test_link.py::test_giving_up_on_a_record_counts_as_a_failure",
            "tests/integration/bridge/test_answers.py"
            "::test_200_accepted_once_the_event_is_in_kafka_byte_for_byte",
        ),
    ),
    Mutant(
        "fail a record without a dead letter",
        7,
        "streams/worker/outcomes.py",
        """\
            await self.publish_dead_letter(record, verdict, span)
            await record.assignment.owned()
""",
        "            await record.assignment.owned()\n",
        (
            f"{TEST_PROCESSOR}/test_final_errors.py"
            "::test_a_failed_record_is_in_dead_letters_before_it_is_published",
            f"{TEST_PROCESSOR}/test_final_errors.py::test_bytes_that_are_no_event",
        ),
    ),
    Mutant(
        "stop at bytes that are no event",
        7,
        "streams/worker/incoming.py",
        "    except EnvelopeError as error:\n        return error\n",
        "    except EnvelopeError:\n        raise\n",
        (f"{TEST_DISPATCHER}/test_taking_up.py::test_what_is_no_event_is_handed_on_too",),
    ),
)
