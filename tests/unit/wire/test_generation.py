"""The header that says in which consumer generation a record was written."""

from __future__ import annotations

from streams.wire.generation import generation_headers


def test_it_is_the_contracts_name_and_a_number() -> None:
    assert list(generation_headers(17)) == [("worker.generation", b"17")]
