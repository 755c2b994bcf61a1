"""Promise 7, at the doors: who may ask us, whom we trust, and what Kafka lets us do. A program that
lacks a right says so before it takes a record that it could not finish."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

ACLS = "streams/kafka/acls.py"
API_KEYS = "streams/api_keys.py"
AUTHORIZATION = "streams/kafka/authorization.py"
TOKENS = "streams/kafka/tokens.py"
TOPICS = "streams/kafka/topics.py"
WORKER_HTTP = "streams/worker/http.py"

TEST_ACLS = "tests/unit/kafka/test_acls.py"
TEST_API_KEYS = "tests/unit/test_api_keys.py"
TEST_AUTHORIZATION = "tests/unit/kafka/test_authorization.py"
TEST_LISTENING = "tests/unit/settings/test_listening.py"
TEST_TOKENS = "tests/unit/kafka/test_tokens.py"
TEST_WORKER_HTTP = "tests/unit/worker/test_http.py"

MUTANTS = (
    Mutant(
        "answer a look-up without a key",
        7,
        WORKER_HTTP,
        'self._api_keys):\n            return _problem(401, f"the look-up',
        '()):\n            return _problem(401, f"the look-up',
        (f"{TEST_WORKER_HTTP}::test_without_a_key_there_is_no_look_up",),
    ),
    Mutant(
        "tell what is open without a key",
        7,
        WORKER_HTTP,
        'self._api_keys):\n            return _problem(401, f"what is open',
        '()):\n            return _problem(401, f"what is open',
        (f"{TEST_WORKER_HTTP}::test_without_a_key_nothing_is_told_of_what_is_open",),
    ),
    Mutant(
        "forward a look-up without a key",
        7,
        WORKER_HTTP,
        'headers={FORWARDED: "1", **headers}',
        'headers={FORWARDED: "1"}',
        (f"{TEST_WORKER_HTTP}::test_a_forwarded_look_up_has_a_key_that_the_other_accepts",),
    ),
    Mutant(
        "let everybody in from another machine",
        7,
        API_KEYS,
        "if not keys and not local:",
        "if not keys and not local and not host:",
        (f"{TEST_LISTENING}::TestApiKeys::test_one_is_required_elsewhere",),
    ),
    Mutant(
        "tell by its time how near a key comes",
        7,
        API_KEYS,
        "hmac.compare_digest(given, _octets(key))",
        "given == _octets(key)",
        (f"{TEST_API_KEYS}::test_every_key_is_compared_whole_whichever_it_is",),
    ),
    Mutant(
        "begin without the rights that the work needs",
        7,
        TOPICS,
        "    if missing:\n        raise NotAuthorized(",
        "    if missing and not granted:\n        raise NotAuthorized(",
        (f"{TEST_AUTHORIZATION}::test_all_that_is_missing_is_in_one_line",),
    ),
    Mutant(
        "take a topic that may not be described for one with all rights",
        7,
        ACLS,
        "elif operation is Operation.DESCRIBE or operation in IMPLIES_DESCRIBE:",
        "elif operation is Operation.CREATE:",
        (f"{TEST_ACLS}::test_what_is_lacking",),
    ),
    Mutant(
        "do not say which of its rights a principal lacks",
        7,
        AUTHORIZATION,
        "{who} may not {', '.join(map(str, missing))}; ",
        "{who} is not authorized; ",
        (f"{TEST_AUTHORIZATION}::test_a_refusal_names_principal_operation_and_resource",),
    ),
    Mutant(
        "serve a token to the very end of its life",
        7,
        TOKENS,
        "REFRESH_AT = 0.8",
        "REFRESH_AT = 1.0",
        (f"{TEST_TOKENS}::test_one_token_serves_until_most_of_its_life_is_over",),
    ),
)
