"""Promise 7, at the boundary to the environment, the signals and the log: no input stops a worker,
and none has it do what it was told not to do."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

ENVIRONMENT = "streams/environment.py"
ADDRESSES = "streams/addresses.py"
SERVING = "streams/cli/serving.py"
OTEL = "streams/telemetry/otel.py"
LOGGING = "streams/telemetry/logging.py"
REPEATS = "streams/telemetry/repeats.py"

TEST_ENVIRONMENT = "tests/unit/test_environment.py"
TEST_GENESYS = "tests/unit/settings/test_genesys.py"
TEST_PROBLEMS = "tests/unit/settings/test_problems.py"
TEST_SERVING = "tests/integration/cli/test_serving.py"
TEST_OTEL = "tests/unit/telemetry/test_otel.py"
TEST_LOGGING = "tests/unit/telemetry/test_logging.py"

MUTANTS = (
    Mutant(
        "pass over a line of .env that can not be read",
        7,
        ENVIRONMENT,
        "    if problems:\n        raise SettingsError(*problems)\n",
        "",
        (
            f"{TEST_ENVIRONMENT}::test_a_line_that_leaves_a_doubt_is_named_by_file_line_and_variable",
        ),
    ),
    Mutant(
        "name the first problem alone",
        7,
        "streams/settings.py",
        "            raise SettingsError(*first_of_each(problems)) from None",
        "            raise SettingsError(problems[0]) from None",
        (
            f"{TEST_PROBLEMS}::TestAllAtOnce::test_a_worker_with_nothing_set_names_all_that_it_needs",
        ),
    ),
    Mutant(
        "send the client's secret in clear to another machine",
        7,
        ADDRESSES,
        'parts.scheme == "http" and not is_loopback(parts.hostname or "") and not insecure',
        "not parts.scheme",
        (
            f"{TEST_GENESYS}::TestGenesys"
            "::test_the_secret_goes_in_clear_only_where_that_was_asked_for",
        ),
    ),
    Mutant(
        "take a base URL with a path",
        7,
        ADDRESSES,
        '    if parts.path.strip("/"):\n',
        "    if not parts.path and not origin:\n",
        (f"{TEST_GENESYS}::TestGenesys::test_a_path_is_refused_with_what_to_write_instead",),
    ),
    Mutant(
        "leave OTEL_* to the SDK",
        7,
        OTEL,
        "    if problems := list(wrong(os.environ)):\n        raise SettingsError(*problems)\n",
        "",
        (f"{TEST_OTEL}::test_a_wrong_value_is_one_line_that_names_its_variable",),
    ),
    Mutant(
        "leave work undone at a supervisor's second SIGTERM",
        13,
        SERVING,
        "        if number == signal.SIGINT:\n            now",
        "        elif number != signal.SIGINT:\n"
        '            leave_now("again")\n'
        "        if number == signal.SIGINT:\n            now",
        (f"{TEST_SERVING}::test_signals_that_a_supervisor_repeats_hurry_nothing",),
    ),
    Mutant(
        "a hanging loop is not cut off",
        13,
        SERVING,
        '            os.write(self._waker, b"!")\n',
        "",
        (f"{TEST_SERVING}::test_a_loop_that_hangs_before_the_signal_is_cut_off_too",),
    ),
    Mutant(
        "log every line that a library repeats",
        7,
        REPEATS,
        "        return BURST\n    return 1\n",
        "        return BURST\n    return 1_000_000\n",
        (f"{TEST_LOGGING}::TestRepeats::test_every_library_is_held_to_one_line",),
    ),
    Mutant(
        "a value without a text ends the work that logs it",
        7,
        LOGGING,
        "        except Exception as exc:",
        "        except OSError as exc:",
        (f"{TEST_LOGGING}::TestNeverRaises::test_a_value_that_has_no_text",),
    ),
)
