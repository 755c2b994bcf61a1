"""Requests refused although their token is new: how often a token is spent on them."""

from __future__ import annotations

from random import Random

from streams.core.retry_policy import TOKEN_BACKOFF
from streams.genesys.refused_uses import REMEMBERED, RefusedUses

GET = "GET /api/v2/interactions/{id}"
PATCH = "PATCH /api/v2/interactions/{id}"


def uses() -> RefusedUses:
    return RefusedUses(TOKEN_BACKOFF, Random(7))


def test_the_first_refusal_may_cost_the_token() -> None:
    assert uses().may_renew(PATCH, 5.0)


def test_the_distance_grows_with_each_token_that_did_not_help() -> None:
    refused = uses()
    now, renewed = 0.0, 0
    while now < 36_000:
        if refused.may_renew(PATCH, now):
            refused.renews(PATCH, now)
            refused.refused(PATCH, now)
            renewed += 1
        now += 0.1
    # Full jitter: once it has grown, on average half of the longest distance.
    assert 1000 < renewed < 1500


def test_that_others_are_accepted_changes_no_distance() -> None:
    refused = uses()
    for _ in range(10):
        refused.renews(PATCH, 0.0)
    refused.refused(PATCH, 0.0)
    refused.accepted(GET, renewed=True)
    refused.accepted(PATCH, renewed=False)
    assert not refused.may_renew(PATCH, 0.0)
    assert refused.may_renew(GET, 0.0)
    assert refused.may_renew(PATCH, TOKEN_BACKOFF.cap)


def test_a_token_that_helped_ends_the_distance() -> None:
    refused = uses()
    for _ in range(10):
        refused.renews(PATCH, 0.0)
    refused.accepted(PATCH, renewed=True)
    assert refused.may_renew(PATCH, 0.0)
    refused.renews(PATCH, 0.0)
    assert refused.may_renew(PATCH, TOKEN_BACKOFF.base)


def test_each_use_that_is_refused_is_named_until_it_is_accepted() -> None:
    refused = uses()
    assert refused.why(0.0) is None
    refused.refused(PATCH, 0.0)
    refused.refused(GET, 0.0)
    assert f"401 to {GET}, {PATCH}, with" in str(refused.why(0.0))
    refused.accepted(GET, renewed=False)
    assert f"401 to {PATCH}, with" in str(refused.why(0.0))
    refused.accepted(PATCH, renewed=False)
    assert refused.why(0.0) is None


def test_a_refusal_of_long_ago_keeps_no_worker_from_being_ready() -> None:
    refused = uses()
    refused.refused(PATCH, 0.0)
    refused.refused(PATCH, 100.0)
    assert refused.why(REMEMBERED + 100.0) is not None
    assert refused.why(REMEMBERED + 100.1) is None
