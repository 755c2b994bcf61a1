"""What a server answers is made into values of ours (promises 4, 7 and 14)."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

ANSWERS = "streams/genesys/answers.py"
BLOTTING = "streams/genesys/blotting.py"
BUDGET = "streams/genesys/budget.py"
CONVERSATIONS = "streams/genesys/conversations.py"
INTERACTIONS = "streams/genesys/interactions.py"
PROXIES = "streams/genesys/proxies.py"
REFUSALS = "streams/genesys/status_errors.py"
TOKEN = "streams/genesys/token.py"
TRANSPORT = "streams/genesys/transport.py"

TEST_ANSWERS = "tests/unit/genesys/test_answers.py"
TEST_ANY = "tests/unit/genesys/test_any_answer.py"
TEST_BLOTTING = "tests/unit/genesys/test_blotting.py"
TEST_CONVERSATIONS = "tests/unit/genesys/test_conversations.py"
TEST_GRANTS = "tests/unit/genesys/token/test_grants.py"
TEST_TOKEN_FAILS = "tests/unit/genesys/token/test_failures.py"
TEST_HOSTILE = "tests/unit/genesys/test_hostile_answers.py"
TEST_INTERACTIONS = "tests/unit/genesys/test_interactions.py"
TEST_PROXIES = "tests/unit/genesys/test_proxies.py"
TEST_REFUSALS = "tests/unit/genesys/test_status_errors.py"
TEST_THROUGH = "tests/unit/genesys/test_through_a_proxy.py"
TEST_TRANSPORT = "tests/unit/genesys/test_transport.py"
TEST_UNAUTHORIZED = "tests/unit/genesys/client/test_unauthorized.py"

MUTANTS = (
    Mutant(
        "hand on a correlation id as it came",
        7,
        ANSWERS,
        'blotter.text(headers.get(CORRELATION_ID, ""), CORRELATION_ID_MAX_LENGTH)',
        'headers.get(CORRELATION_ID, "")',
        (
            f"{TEST_HOSTILE}::test_a_correlation_id_that_is_no_text",
            f"{TEST_HOSTILE}::test_a_correlation_id_of_8000_bytes",
        ),
    ),
    Mutant(
        "send back any entity-tag",
        7,
        ANSWERS,
        "    return header if valid else None\n",
        "    return header or None\n",
        (f"{TEST_HOSTILE}::test_what_goes_back_in_if_match",),
    ),
    Mutant(
        "send back the entity-tag of a compressed answer",
        7,
        ANSWERS,
        "etag=None if compression else _etag(",
        "etag=_etag(",
        (f"{TEST_HOSTILE}::test_what_goes_back_in_if_match",),
    ),
    Mutant(
        "let a proxy compress",
        7,
        TRANSPORT,
        '            "Accept-Encoding": "identity",\n',
        "",
        (f"{TEST_HOSTILE}::test_identity_is_asked_for_on_every_request",),
    ),
    Mutant(
        "refuse a number of thousands of digits that nobody reads",
        7,
        ANSWERS,
        "parse_int=float, ",
        "",
        (f"{TEST_INTERACTIONS}::test_what_nobody_reads_is_not_judged",),
    ),
    Mutant(
        "take NaN for JSON",
        7,
        ANSWERS,
        ", parse_constant=_no_number",
        "",
        (f"{TEST_INTERACTIONS}::test_nan_is_no_json",),
    ),
    Mutant(
        "take a code that can not be shown for none",
        4,
        INTERACTIONS,
        "answer.text(code, CODE_MAX_LENGTH) or REPLACEMENT",
        "answer.text(code, CODE_MAX_LENGTH)",
        (f"{TEST_INTERACTIONS}::test_a_code_that_can_not_be_shown_is_set_all_the_same",),
    ),
    Mutant(
        "keep a code of any length",
        11,
        INTERACTIONS,
        "answer.text(code, CODE_MAX_LENGTH) or REPLACEMENT",
        "code",
        (f"{TEST_INTERACTIONS}::test_what_is_kept_is_bounded_and_printable",),
    ),
    Mutant(
        "take an interaction without an end for one that has ended",
        7,
        INTERACTIONS,
        "            ended=has_ended(metadata, timeline),\n",
        "",
        (f"{TEST_INTERACTIONS}::test_ended_when_a_time_says_so",),
    ),
    Mutant(
        "blot only a secret that is written as it is",
        7,
        BLOTTING,
        "for first, last in _joined(self._found(letters)):",
        "for first, last in _joined([]):",
        (
            f"{TEST_BLOTTING}::test_no_way_to_write_it_gets_past",
            f"{TEST_HOSTILE}::test_a_token_or_secret_that_comes_back_is_nowhere",
        ),
    ),
    Mutant(
        "cut a text before its secrets are blotted out",
        7,
        BLOTTING,
        "self.blotted(value[: ROUGHLY * most]), most)",
        "self.blotted(value[:most]), most)",
        (f"{TEST_ANSWERS}::test_a_secret_at_the_cut_is_gone_whole",),
    ),
    Mutant(
        "let an exception that nobody expected pass",
        7,
        TRANSPORT,
        "except Exception as error:  # noqa",
        "except (aiohttp.ClientError, TimeoutError) as error:  # noqa",
        (f"{TEST_TRANSPORT}::test_whatever_is_raised_is_an_error_of_ours",),
    ),
    Mutant(
        "repeat a PATCH whose answer can not be read",
        5,
        TRANSPORT,
        """can be read ({cause}){doubt}",
                    maybe_applied=request.changes,
""",
        """can be read ({cause}){doubt}",
""",
        (f"{TEST_TRANSPORT}::test_whatever_is_raised_is_an_error_of_ours",),
    ),
    Mutant(
        "take a status that no final answer has for the record's fault",
        7,
        REFUSALS,
        "    if not 200 <= status < 500:\n",
        "    if 500 <= status < 600:\n",
        (f"{TEST_REFUSALS}::test_a_status_that_no_final_answer_has_is_a_failure_on_the_way",),
    ),
    Mutant(
        "take a token of any length",
        11,
        TOKEN,
        "        and len(value) <= TOKEN_MAX_LENGTH\n",
        "",
        (f"{TEST_ANY}::test_a_token_too_long_for_a_header_is_none",),
    ),
    Mutant(
        "spend a token on every request that is refused",
        7,
        TOKEN,
        "if self._proven and not self._refused_uses.may_renew(use, now):",
        "if False:",
        (
            f"{TEST_UNAUTHORIZED}"
            "::test_an_api_that_refuses_every_patch_does_not_hammer_the_token_endpoint",
        ),
    ),
    Mutant(
        "ask for the next token anew with each request that the old one serves",
        7,
        TOKEN,
        "            if not self._renewal_failed:\n",
        "            if True:\n",
        (
            f"{TEST_TOKEN_FAILS}"
            "::test_a_live_token_that_is_accepted_does_not_hurry_a_refresh_that_fails",
        ),
    ),
    Mutant(
        "take an interaction that was cut on the way for a bad one",
        7,
        TRANSPORT,
        " and answer.may_be_cut and not ours:",
        " and answer.may_be_cut and ours:",
        (f"{TEST_HOSTILE}::test_a_body_without_a_length_that_was_cut_short_is_a_connection_lost",),
    ),
    Mutant(
        "go to the API without the proxy",
        7,
        TRANSPORT,
        "                proxy=proxy.url if proxy else None,\n",
        "",
        (f"{TEST_THROUGH}::test_api_and_token_endpoint_are_reached_through_it",),
    ),
    Mutant(
        "go through the proxy to a host in NO_PROXY",
        7,
        PROXIES,
        "_proxy(variable, text) if text and not _bypassed(target, environ) else None",
        "_proxy(variable, text) if text else None",
        (f"{TEST_THROUGH}::test_no_proxy_decides_for_loopback_too",),
    ),
    Mutant(
        "let a proxy's 407 make a record fail for good",
        7,
        TRANSPORT,
        "        if answer.status == 407 and proxy is not None:\n",
        "        if False and proxy is not None:\n",
        (f"{TEST_THROUGH}::test_a_proxy_that_refuses_is_named_and_its_credentials_are_not",),
    ),
    Mutant(
        "doubt a PATCH that no tunnel let through",
        5,
        TRANSPORT,
        "total=timeout, connect=timeout * _CONNECT_SHARE",
        "total=timeout, sock_connect=timeout * _CONNECT_SHARE",
        (f"{TEST_THROUGH}::test_a_proxy_that_hangs",),
    ),
    Mutant(
        "start with a proxy that can not be used",
        7,
        PROXIES,
        "    if separator and scheme.lower() not in _SCHEMES:\n",
        "    if False:\n",
        (
            f"{TEST_PROXIES}::test_one_that_can_not_be_used_is_one_line_that_names_the_variable",
            f"{TEST_THROUGH}::test_one_that_can_not_be_used_is_named_before_anything_starts",
        ),
    ),
    Mutant(
        "take a conversation that was being changed for untouched",
        5,
        CONVERSATIONS,
        "message(_CHANGED_MEANING), maybe_applied=request.changes, **about",
        "message(_CHANGED_MEANING), **about",
        (f"{TEST_CONVERSATIONS}::test_a_write_in_doubt_is_looked_after",),
    ),
    Mutant(
        "take a wrap-up that is closed for a bad request",
        4,
        CONVERSATIONS,
        "if request.changes and answer.status == 400 and code in CLOSED:",
        "if code is None:",
        (f"{TEST_CONVERSATIONS}::test_a_wrap_up_that_is_taken_no_more",),
    ),
    Mutant(
        "show a refresh token that was replaced and comes back",
        7,
        TOKEN,
        "(self._refresh_token,) if self._refresh_token else ()",
        "()",
        (f"{TEST_GRANTS}::test_a_refresh_token_that_is_refused_is_named_and_never_shown",),
    ),
)
