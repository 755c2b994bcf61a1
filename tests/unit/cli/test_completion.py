"""The shell completes commands and options, as docs/operations.md says."""

from __future__ import annotations

import pytest
from click.shell_completion import BashComplete

from streams.cli.main import COMMANDS, PROGRAM, root

# What docs/operations.md names; click makes it of the program's name.
VARIABLE = "_GENESYS_STREAMS_COMPLETE"


@pytest.mark.parametrize(
    ("words", "begun", "offered"),
    [
        ([], "", set(COMMANDS)),
        (["dead-letters"], "", {"list", "show", "redrive"}),
        (["outcomes"], "--dec", {"--decision"}),
        (["outcomes", "--decision"], "pat", {"patched"}),
    ],
)
def test_what_may_follow_is_offered(words: list[str], begun: str, offered: set[str]) -> None:
    completion = BashComplete(root, {}, PROGRAM, VARIABLE)
    assert {each.value for each in completion.get_completions(words, begun)} == offered


def test_the_script_for_the_shell_asks_under_the_documented_name() -> None:
    assert f"{VARIABLE}=bash_complete" in BashComplete(root, {}, PROGRAM, VARIABLE).source()
