"""The keys of bridge and worker: who has one is let in, and time tells nothing of the others. Which
settings need one is in the tests of the settings.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.api_keys import is_authorized

any_text = st.text(st.characters(codec=None))


@given(any_text, st.lists(any_text, min_size=1))
def test_a_key_is_let_in_when_it_is_one_of_them_and_no_other_is(
    presented: str, keys: list[str]
) -> None:
    assert is_authorized(presented, keys) is (presented in keys)


@pytest.mark.parametrize("presented", ["right", "rigid", "x", "", "r" * 8000])
def test_every_key_is_compared_whole_whichever_it_is(
    monkeypatch: pytest.MonkeyPatch, presented: str
) -> None:
    """Time would tell which key a guess comes near."""
    compared: list[tuple[bytes, bytes]] = []

    def remembering(given: bytes, key: bytes) -> bool:
        compared.append((given, key))
        return given == key

    monkeypatch.setattr("hmac.compare_digest", remembering)
    is_authorized(presented, ["right", "left", "right2"])
    given = presented.encode()
    assert compared == [(given, b"right"), (given, b"left"), (given, b"right2")]


@pytest.mark.parametrize(
    ("presented", "keys", "let_in"),
    [
        (None, (), True),
        ("anything", (), True),
        ("old", ("new", "old"), True),
        ("new", ("new", "old"), True),
        ("ol", ("new", "old"), False),
        ("", ("new",), False),
        (None, ("new",), False),
        ("new,old", ("new", "old"), False),
        ("schlüssel", ("schlüssel",), True),
        ("\udcff", ("new",), False),
        ("\udcff", ("\udcff",), True),
        # None that a header can bring; it is refused like any other all the same.
        ("\ud83d", ("new",), False),
        ("n" * 100_000, ("new",), False),
    ],
)
def test_is_authorized(presented: str | None, keys: tuple[str, ...], let_in: bool) -> None:
    assert is_authorized(presented, keys) is let_in
