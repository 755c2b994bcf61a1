"""Logs, groups and stores that are not what they were (promises 2, 7, 13)."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

DATADIR = "streams/worker/state/datadir.py"
GROUP = "streams/kafka/group.py"
SEAM = "streams/worker/partitions/consumer.py"
START = "streams/worker/partitions/starting_point.py"
DISPATCHER = "streams/worker/dispatcher.py"
ASSIGNMENT = "streams/worker/partitions/assignment.py"

TEST_DATADIR = "tests/unit/worker/state/test_datadir.py"
TEST_GROUP = "tests/unit/kafka/test_group.py"
TEST_BEGINNING = "tests/unit/worker/partitions/consumer/test_beginning.py"
TEST_CUTS = "tests/unit/worker/partitions/consumer/test_cuts.py"
TEST_START = "tests/unit/worker/partitions/test_starting_point.py"
TEST_DISPATCHER = "tests/unit/worker/dispatcher"
TEST_ASSIGNMENT = "tests/unit/worker/partitions/test_assignment.py"

MUTANTS = (
    Mutant(
        "believe a committed offset past the end",
        2,
        START,
        "if found.committed > found.end:",
        "if False:",
        (
            f"{TEST_START}::test_where_it_starts",
            f"{TEST_START}::test_it_starts_within_the_log_and_never_above_what_was_committed",
        ),
    ),
    Mutant(
        "believe the offset of another topic of this name",
        2,
        START,
        "if signed and _another(life, topic_id):",
        "if False:",
        (f"{TEST_START}::test_where_it_starts",),
    ),
    Mutant(
        "go on in the old life behind a cut",
        6,
        START,
        "cut_life(life, now_ms, topic_id), Notice.CUT",
        "life, Notice.CUT",
        (f"{TEST_START}::test_what_moves_the_start_is_noticed",),
    ),
    Mutant(
        "have the same cut noticed at every start",
        2,
        SEAM,
        "await self._sign({tp: at for tp, at in starts.items() if at.notice is not None})",
        "await self._sign({})",
        (f"{TEST_BEGINNING}::test_what_the_judgement_says_is_where_it_starts",),
    ),
    Mutant(
        "take the records of a cut log for repeats",
        2,
        SEAM,
        "if record.offset < self._expected[tp]:",
        "if False:",
        (f"{TEST_CUTS}::test_a_record_below_what_was_delivered_ends_the_worker",),
    ),
    Mutant(
        "see the cut of one log alone",
        2,
        SEAM,
        "if at != tp and kept[at].end < expected\n",
        "if at == ()\n",
        (f"{TEST_CUTS}::test_what_befell_one_partition_is_looked_for_in_all",),
    ),
    Mutant(
        "commit offsets of the old log behind a cut",
        2,
        ASSIGNMENT,
        "frontier.committable > frontier.committed and tp not in self._cut",
        "frontier.committable > frontier.committed",
        (
            f"{TEST_ASSIGNMENT}::test_nothing_is_committed_of_a_log_that_was_cut",
            f"{TEST_CUTS}::test_a_record_below_what_was_delivered_ends_the_worker",
        ),
    ),
    Mutant(
        "read in a group that another prefix uses",
        7,
        SEAM,
        "            await self.app.group.after_joining()\n",
        "            pass\n",
        (f"{TEST_BEGINNING}::test_a_group_that_is_not_ours_alone_opens_nothing",),
    ),
    Mutant(
        "pass a group while its members do not answer",
        7,
        GROUP,
        "return seen.stable",
        "return True",
        (f"{TEST_GROUP}::test_whoever_came_in_the_same_moment_is_seen_after_joining",),
    ),
    Mutant(
        "use the stores of another changelog",
        6,
        DATADIR,
        "or _differ(self.changelog, other.changelog)",
        "",
        (f"{TEST_DATADIR}::test_stores_of_another_cluster_or_changelog_are_thrown_away",),
    ),
    Mutant(
        "pass over what retention deleted as if nothing had been there",
        7,
        DISPATCHER,
        "gone = min(first.beginning, message.offset) - expected",
        "gone = 0",
        (
            f"{TEST_DISPATCHER}/test_holes.py"
            "::test_what_retention_deleted_undecided_is_an_error_and_counted",
        ),
    ),
)
