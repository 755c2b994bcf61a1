"""The end of a log, and the list of what is in a bundle."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from streams.operator.support.bundle import Part
from streams.operator.support.collecting import listed, tail


@given(st.lists(st.binary(max_size=12).filter(lambda line: b"\n" not in line)), st.integers(1, 40))
def test_the_end_has_whole_lines_alone(lines: list[bytes], most: int) -> None:
    log = b"".join(line + b"\n" for line in lines)
    kept = tail(io.BytesIO(log), most)
    assert log.decode(errors="replace").endswith(kept)
    if len(log) <= most:
        assert kept == log.decode(errors="replace")
    else:
        # What was cut off ends with a line, but where no line of it fits.
        begun = log.decode(errors="replace").removesuffix(kept)
        assert not kept or begun.endswith("\n")


def test_what_is_missing_is_listed_with_its_reason() -> None:
    parts = [Part("a.json", b"x" * 1_234), Part("b.json.missing", b"", "no broker answers")]
    assert listed(parts).content == b"a.json: 1,234 bytes\nb.json.missing: no broker answers\n"
