"""Who gets a token, and how long it is good."""

from __future__ import annotations

import base64

import pytest

from streams.local.simulator.tokens import Client, Tokens


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


def test_a_token_ends_with_its_lifetime_and_others_are_none() -> None:
    now = [0.0]
    tokens = Tokens(lambda: now[0], lifetime=10)
    token = tokens.issue()
    now[0] = 9.9
    assert tokens.good(token)
    assert not tokens.good("another")
    now[0] = 10.0
    assert not tokens.good(token)


def test_revoked_tokens_are_good_no_more_but_stay_counted() -> None:
    tokens = Tokens(lambda: 0.0)
    token = tokens.issue()
    tokens.revoke()
    assert not tokens.good(token)
    assert tokens.issued == 1


def test_any_client_is_let_in_unless_one_is_named() -> None:
    assert Tokens(lambda: 0.0).lets_in(basic("who:ever"))
    named = Tokens(lambda: 0.0, Client("id", "se:cret"))
    assert named.lets_in(basic("id:se:cret"))
    assert not named.lets_in(basic("id:wrong"))


@pytest.mark.parametrize("header", ["", "Basic", "Basic !!", basic("nocolon"), "Bearer aWQ6eA=="])
def test_what_is_no_basic_authorization_is_not_let_in(header: str) -> None:
    assert not Tokens(lambda: 0.0).lets_in(header)
