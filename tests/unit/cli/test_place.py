"""Places as commands print them, given back to a command."""

from __future__ import annotations

import click
import pytest

from streams.cli.place import PLACE, Place


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("7", Place(None, None, 7)),
        ("2/0", Place(None, 2, 0)),
        ("genesys.interaction.dead-letters/2/0", Place("genesys.interaction.dead-letters", 2, 0)),
    ],
)
def test_every_form_that_is_printed_is_accepted(text: str, place: Place) -> None:
    assert PLACE.convert(text, None, None) == place


@pytest.mark.parametrize("text", ["", "-1", "2/", "/0", "a/0", "1/2/3/4", "1" * 20, "2/0 ", "٣"])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="PARTITION/OFFSET"):
        PLACE.convert(text, None, None)
