"""No byte in a topic stops a command that reads it, and stdout may fail (promise 14)."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

LETTER = "streams/wire/dead_letters.py"
READER = "streams/kafka/reader.py"

TEST_ANY_RECORD = "tests/unit/cli/test_any_record.py"
TEST_CLOCK = "tests/unit/test_clock.py"
TEST_LETTER = "tests/unit/wire/test_dead_letters.py"
TEST_PRINTABLE = "tests/unit/cli/test_printable.py"
TEST_READER = "tests/integration/kafka/test_reader.py"
TEST_OUTCOMES = "tests/unit/wire/test_outcomes.py"
TEST_STDOUT = "tests/unit/cli/test_stdout.py"

MUTANTS = (
    Mutant(
        "read a letter's header without asking whether it is null",
        14,
        LETTER,
        "    return None if content is None else foreign_text(content, MESSAGE_LENGTH)",
        "    return foreign_text(content, MESSAGE_LENGTH)  # type: ignore[arg-type]",
        (f"{TEST_LETTER}::test_headers_that_are_nonsense_hide_no_letter",),
    ),
    Mutant(
        "keep a letter's texts as they came",
        14,
        LETTER,
        "foreign_text(content, MESSAGE_LENGTH)",
        'content.decode("utf-8", "replace")',
        (f"{TEST_LETTER}::test_texts_are_printable_and_bounded_whoever_wrote_them",),
    ),
    Mutant(
        "take a source that can not be read for none",
        14,
        LETTER,
        "source is None and any(name in SOURCE for name in texts)",
        "False",
        (f"{TEST_LETTER}::test_a_source_that_can_not_be_read_is_not_taken_for_none",),
    ),
    Mutant(
        "take an outcome for UTF-8 unseen",
        14,
        "streams/wire/outcomes.py",
        "        value.decode()  # the decoder passes",
        "        # the decoder passes",
        (f"{TEST_OUTCOMES}::test_what_is_no_outcome_says_why",),
    ),
    Mutant(
        "write a time as it is",
        14,
        "streams/clock.py",
        "    if not _EARLIEST <= epoch_seconds <= _LATEST:",
        "    if False:",
        (f"{TEST_CLOCK}::test_the_time_of_every_record_in_kafka_can_be_written",),
    ),
    Mutant(
        "leave JSON lines as they were encoded",
        14,
        "streams/cli/printable.py",
        "    if not text.isprintable():",
        "    if False:",
        (f"{TEST_PRINTABLE}::test_c1_and_the_unicode_line_ends_are_escaped_in_json",),
    ),
    Mutant(
        "pass over a record whose time is before 1970",
        14,
        READER,
        "early = since is not None and time_of(record) < since",
        "early = time_of(record) < (since or 0)",
        (f"{TEST_READER}::test_a_record_of_any_time_hides_neither_itself_nor_another",),
    ),
    Mutant(
        "say nothing of a partition that stands still",
        14,
        READER,
        '        raise KafkaError("; ".join(unreadable.values()))\n',
        "        return\n",
        (f"{TEST_READER}::test_a_record_that_can_not_be_read_is_named_and_the_rest_is_read",),
    ),
    Mutant(
        "print a table's cells as they are",
        14,
        "streams/cli/columns.py",
        "        printable(cell, column.most).ljust(column.width)",
        "        str(cell).ljust(column.width)",
        (f"{TEST_ANY_RECORD}::test_outcomes_are_shown_whatever_they_are",),
    ),
    Mutant(
        "let a failing stdout raise what it likes",
        14,
        "streams/cli/stdout.py",
        "            raise StdoutLost(exc) from exc",
        "            raise",
        (f"{TEST_STDOUT}::test_what_can_not_be_printed_is_one_line_on_stderr_and_exit_1",),
    ),
)
