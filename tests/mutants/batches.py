"""What can not be read (promises 7, 13): named, never guessed, never passed over unasked."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

BATCHES = "streams/kafka/batches.py"
CODECS = "streams/kafka/codecs.py"
DECODING = "streams/kafka/decoding.py"
FETCHING = "streams/kafka/fetching.py"

TEST_BATCHES = "tests/unit/kafka/test_batches.py"
TEST_CODECS = "tests/unit/kafka/test_codecs.py"
TEST_FETCHING = "tests/unit/kafka/test_fetching.py"

MUTANTS = (
    Mutant(
        "be ready before what can not be read",
        13,
        "streams/worker/health/monitor.py",
        "self._table.failure or (consumer.unreadable if consumer is not None else None)",
        "self._table.failure",
        (
            "tests/unit/worker/health/test_monitor.py::test_what_can_not_be_read_is_reported_at_once",
        ),
    ),
    Mutant(
        "read bytes whose checksum is wrong",
        7,
        BATCHES,
        "if calc_crc32c(content[_CHECKED_FROM:]) != header.crc:",
        "if False:",
        (f"{TEST_BATCHES}::test_a_flipped_bit_is_never_a_record",),
    ),
    Mutant(
        "believe a batch that says it is elsewhere",
        7,
        BATCHES,
        "if batch.last < position or leaps:",
        "if False:",
        (f"{TEST_BATCHES}::test_an_offset_that_it_has_not",),
    ),
    Mutant(
        "stop at a header name that is not UTF-8",
        7,
        DECODING,
        'name.decode("utf-8", "replace")',
        "name.decode()",
        (f"{TEST_BATCHES}::test_every_record_is_read_whatever_is_in_it",),
    ),
    Mutant(
        "believe the offsets that a producer wrote",
        7,
        DECODING,
        "if strict is not None and _in_place(",
        "if strict is not None or _in_place(",
        (f"{TEST_BATCHES}::test_what_the_producer_wrote_of_offsets_is_not_looked_at",),
    ),
    Mutant(
        "guess where records begin behind a wrong length",
        7,
        DECODING,
        "if at != len(content) and (self._broken is not None or not header.is_full):",
        "if False:",
        (f"{TEST_BATCHES}::test_behind_a_record_that_says_it_is_shorter_nothing_is_guessed",),
    ),
    Mutant(
        "let a batch take all memory",
        7,
        CODECS,
        "    if len(content) > LARGEST_DECOMPRESSED:",
        "    if False:",
        (f"{TEST_BATCHES}::test_a_batch_of_any_size_does_not_take_all_memory",),
    ),
    Mutant(
        "leave out what is too large for a fetch",
        7,
        BATCHES,
        "            if at == 0 or ends is None:",
        "            if ends is None:",
        (f"{TEST_BATCHES}::test_a_batch_larger_than_the_fetch_is_named_not_left_out",),
    ),
    Mutant(
        "skip a batch that is named in part",
        7,
        FETCHING,
        "                if unnamed:",
        "                if len(unnamed) == len(offsets):",
        (f"{TEST_FETCHING}::test_part_of_it_named_is_not_enough",),
    ),
    Mutant(
        "idle before what can not be read",
        13,
        FETCHING,
        "            self._on_unreadable(place, lost, unnamed)\n",
        "            pass\n",
        (f"{TEST_FETCHING}::test_it_stands_still_before_what_can_not_be_read",),
    ),
    Mutant(
        "start with a codec that is not installed",
        13,
        "streams/kafka/topics.py",
        "    if codec != ANY_CODEC and not is_readable(codec):",
        "    if codec is None:",
        (f"{TEST_CODECS}::test_without_the_library_the_topic_is_named",),
    ),
)
