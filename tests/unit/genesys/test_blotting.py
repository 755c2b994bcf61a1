"""No way of writing a credential gets past."""

from __future__ import annotations

import base64
import json
import string
from collections.abc import Callable
from html import escape
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.genesys.blotting import BLOT, LONGEST_LEFT, Blotter

TOKEN = "b2/X_kQ-9vTz+R1mW7uYp0Lc3sHdN8eFgA5jK6oI4q"


def every_byte(secret: str) -> str:
    return "".join(f"%{byte:02X}" for byte in secret.encode())


def base64_after(before: bytes, urlsafe: bool) -> Callable[[str], str]:
    encode = base64.urlsafe_b64encode if urlsafe else base64.b64encode
    return lambda secret: encode(before + secret.encode() + b"!").decode()


WRITINGS: dict[str, Callable[[str], str]] = {
    "as it is": lambda secret: secret,
    "in capitals": str.upper,
    "small": str.lower,
    "JSON, each character": lambda secret: "".join(f"\\u{ord(c):04x}" for c in secret),
    "JSON, the first": lambda secret: f"\\u{ord(secret[0]):04X}{secret[1:]}",
    "JSON, slashes": lambda secret: secret.replace("/", "\\/"),
    "JSON in JSON": lambda secret: json.dumps(json.dumps(secret)),
    "JSON in JSON, each": lambda secret: "".join(f"\\\\u{ord(c):04x}" for c in secret),
    "hexadecimal escapes": lambda secret: "".join(f"\\x{ord(c):02x}" for c in secret),
    "percent": lambda secret: quote(secret, safe=""),
    "percent, each": every_byte,
    "percent, small": lambda secret: every_byte(secret).lower(),
    "percent twice": lambda secret: quote(every_byte(secret), safe=""),
    "HTML": escape,
    "HTML, each": lambda secret: "".join(f"&#{ord(c)};" for c in secret),
    "HTML, hexadecimal": lambda secret: "".join(f"&#x{ord(c):X};" for c in secret),
    "a blank between": " ".join,
    "lines": lambda secret: "\r\n ".join(secret[at : at + 5] for at in range(0, len(secret), 5)),
    "control characters": "\x00\x1b".join,
    "a zero-width space between": "\u200b".join,
    "base64": base64_after(b"", urlsafe=False),
    "base64 after one": base64_after(b":", urlsafe=False),
    "base64 after two": base64_after(b"a:", urlsafe=True),
    "base64 after more": base64_after(b"id:x:", urlsafe=True),
    "base64, wrapped": lambda secret: base64.encodebytes(secret.encode() * 2).decode(),
    "base64, percent": lambda secret: quote(base64.b64encode(secret.encode()).decode(), safe=""),
}


def meant(text: str) -> str:
    return "".join(char for char in text.lower() if char.isalnum())


@pytest.mark.parametrize("writing", WRITINGS)
@pytest.mark.parametrize("secret", [TOKEN, "s3cr3t-8c1d", "t0k3n-1", "pässwörd-für-alle"])
def test_no_way_to_write_it_gets_past(secret: str, writing: str) -> None:
    written = WRITINGS[writing](secret)
    text = Blotter(secret).blotted(f"not allowed for {written}, sorry")
    assert BLOT in text
    left = text.removeprefix("not allowed for ").removesuffix(", sorry")
    assert len(meant(left)) < LONGEST_LEFT, text
    assert text.startswith("not allowed for ")
    assert text.endswith(", sorry")


@pytest.mark.parametrize("writing", WRITINGS)
def test_a_part_of_it_does_not_get_past_either(writing: str) -> None:
    for end in range(20, len(TOKEN), 3):
        text = Blotter(TOKEN).blotted(f"no: {WRITINGS[writing](TOKEN[:end])}")
        assert len(meant(text.removeprefix("no: "))) < LONGEST_LEFT, text


printable = st.text(string.ascii_letters + string.digits + "+/=_.~-", min_size=12, max_size=200)


@given(printable, st.sampled_from(sorted(WRITINGS)), st.text(), st.text())
def test_no_run_of_it_is_left(secret: str, writing: str, before: str, after: str) -> None:
    text = Blotter(secret).blotted(before + WRITINGS[writing](secret) + after)
    whole = meant(secret)
    runs = {whole[at : at + LONGEST_LEFT] for at in range(len(whole) - LONGEST_LEFT + 1)}
    assert not [run for run in runs if run in meant(text)]


@given(st.text(st.characters(exclude_categories=())), st.lists(st.text(), max_size=3))
def test_any_text_and_any_secrets(text: str, secrets: list[str]) -> None:
    blotted = Blotter(*secrets).blotted(text)
    if not any(secrets):
        assert blotted == text


@given(
    st.text(st.characters(max_codepoint=127), min_size=6, max_size=30),
    st.text(st.characters(max_codepoint=127), max_size=30),
    st.integers(0, 24),
    st.integers(6, 30),
)
def test_a_text_without_escapes_is_treated_like_one_with(
    secret: str, around: str, begin: int, length: int
) -> None:
    """The shorter way for plain texts: an ampersand behind them takes the long one."""
    text = around + secret[begin : begin + length].swapcase() + around
    blotter = Blotter(secret)
    assert blotter.blotted(text) + " &" == blotter.blotted(text + " &")


def test_what_is_no_secret_stays() -> None:
    said = 'You need [conversation:x:edit] "quoted" 50% & 3 \\ more, client-7f3a'
    assert Blotter(TOKEN, "s3cr3t-8c1d").blotted(said) == said


def test_a_secret_of_few_letters_is_looked_for_as_it_stands() -> None:
    assert Blotter("a-!").blotted("a banana a-! %61-!") == f"a banana {BLOT} %61-!"


def test_several_secrets() -> None:
    blotted = Blotter(TOKEN, "s3cr3t-8c1d").blotted(f"{TOKEN}, S3CR3T-8C1D")
    assert blotted == f"{BLOT}, {BLOT}"


def test_it_does_not_print_what_it_knows() -> None:
    assert TOKEN not in repr(Blotter(TOKEN))
