"""No living corpse (promise 13): what a worker sees of Kafka, and when it has seen enough."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

BOOTSTRAP = "streams/kafka/bootstrap.py"
CAUSES = "streams/worker/health/causes.py"
FAULTS = "streams/worker/health/kafka_faults.py"
PROBE = "streams/worker/health/broker_probe.py"
SEAM = "streams/worker/partitions/consumer.py"
SERVER = "streams/worker/http.py"
VITALS = "streams/worker/health/monitor.py"
WATCHDOG = "streams/worker/health/watchdog.py"

TEST_BOOTSTRAP = "tests/unit/kafka/test_bootstrap.py"
TEST_CAUSES = "tests/unit/worker/health/test_causes.py"
TEST_FAULTS = "tests/unit/worker/health/test_kafka_faults.py"
TEST_PROBE = "tests/unit/worker/health/test_broker_probe.py"
TEST_COMMITS = "tests/unit/worker/partitions/consumer/test_commits.py"
TEST_CUTS = "tests/unit/worker/partitions/consumer/test_cuts.py"
TEST_SERVER = "tests/unit/worker/test_http.py"
TEST_VITALS = "tests/unit/worker/health/test_monitor.py"
TEST_WATCHDOG = "tests/unit/worker/health/test_watchdog.py"

MUTANTS = (
    Mutant(
        "a worker whose heartbeats nobody answers lives on",
        13,
        FAULTS,
        "        *(_heartbeat(needs, session) if held is not None else ()),\n",
        "",
        (f"{TEST_FAULTS}::test_no_heartbeat",),
    ),
    Mutant(
        "a worker is ready while Kafka is away",
        13,
        VITALS,
        "            if fault.unfit(now):\n                return fault.description(now)\n",
        "            pass\n",
        (f"{TEST_VITALS}::test_what_is_wrong_with_kafka_makes_it_unfit_once_it_has_lasted",),
    ),
    Mutant(
        "a process that was frozen blames Kafka",
        13,
        WATCHDOG,
        "            self._thawed_at = now\n",
        "            pass\n",
        (f"{TEST_WATCHDOG}::test_a_process_that_stood_still_gives_kafka_its_time_anew",),
    ),
    Mutant(
        "the old brokers are asked for ever",
        13,
        BOOTSTRAP,
        "        metadata = await _ask(client, client.cluster._bootstrap_brokers, request)\n",
        "        metadata = await _ask(client, (), request)\n",
        (
            f"{TEST_BOOTSTRAP}::"
            "test_brokers_at_other_addresses_are_found_through_any_bootstrap_server",
        ),
    ),
    Mutant(
        "a fetch that is refused counts as an answer",
        13,
        PROBE,
        "(begin, end) if code == 0 else _trouble(code)",
        "(begin, end)",
        (f"{TEST_PROBE}::test_it_answers_and_refuses",),
    ),
    Mutant(
        "a partition without a leader counts as read",
        13,
        PROBE,
        "                views[tp] = views[tp].failed(NO_LEADER)\n",
        "                pass\n",
        (f"{TEST_PROBE}::test_a_partition_without_a_leader",),
    ),
    Mutant(
        "a topic that is deleted goes unnoticed",
        13,
        FAULTS,
        "        yield no_topics(missing, needs.servers)\n",
        "        pass\n",
        (f"{TEST_FAULTS}::test_a_topic_is_gone",),
    ),
    Mutant(
        "partitions that are added go unnoticed",
        13,
        FAULTS,
        "    if events != needs.partitions and all(",
        "    if events < needs.partitions and all(",
        (f"{TEST_FAULTS}::test_partitions_are_added",),
    ),
    Mutant(
        "a log that was cut is read from its beginning, and new records pass for repeats",
        2,
        SEAM,
        "(at is not None and at < self._expected[tp]) or ",
        "",
        (f"{TEST_CUTS}::test_a_position_below_what_was_delivered_ends_the_worker",),
    ),
    Mutant(
        "a log that was cut behind a partition that is held back goes unnoticed",
        2,
        SEAM,
        " or tp in short",
        "",
        (f"{TEST_CUTS}::test_a_log_that_ends_below_what_was_delivered_ends_the_worker",),
    ),
    Mutant(
        "a cut that can not be signed yet is forgotten",
        2,
        SEAM,
        "            return  # the next look tries again\n",
        "            self._cut = None\n            return\n",
        (f"{TEST_CUTS}::test_a_cut_is_looked_at_again_while_the_broker_does_not_answer",),
    ),
    Mutant(
        "a log that ends too soon goes unnoticed",
        2,
        PROBE,
        "        if end < taken_up:\n",
        "        if end < 0:\n",
        (f"{TEST_PROBE}::test_a_log_that_ends_below_what_was_taken_up",),
    ),
    Mutant(
        "a wrapped error hides what to do",
        13,
        CAUSES,
        "        error = error.__cause__\n",
        "        error = None\n",
        (f"{TEST_CAUSES}::test_the_cause_behind_a_wrapper",),
    ),
    Mutant(
        "the look-up trusts the default partitioner",
        13,
        SERVER,
        "        looked_in = sorted(assignment.partitions, key=lambda held: held != partition)\n",
        "        looked_in = [held for held in assignment.partitions if held == partition]\n",
        (f"{TEST_SERVER}::test_from_any_worker_whatever_partition_it_lies_in",),
    ),
    Mutant(
        "not found is said although a partition was not looked in",
        13,
        SERVER,
        "        if looked_in >= set(range(self._app.conf.topic_partitions)):\n",
        "        if not silent:\n",
        (f"{TEST_SERVER}::test_404_only_when_every_partition_was_looked_in",),
    ),
    Mutant(
        "a last commit that Kafka does not answer keeps a stop waiting",
        13,
        "streams/worker/partitions/assignments.py",
        "            self._drained = assignment\n",
        "",
        (f"{TEST_COMMITS}::test_what_is_drained_is_given_up_though_its_commit_hangs",),
    ),
)
