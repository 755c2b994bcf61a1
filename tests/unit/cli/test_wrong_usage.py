"""Slips on the command line that would find nothing and not say why."""

from __future__ import annotations

import pytest

from streams.cli.main import run

AT = "2026-01-05T08:00:00Z"


@pytest.mark.parametrize("command", ["list", "redrive"])
def test_a_reason_that_no_letter_can_have_is_refused_and_the_others_are_named(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["dead-letters", command, "--reason", "forbid"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "--reason" in err
    for reason in ("forbidden", "unauthorized", "bad-request", "retries-exhausted"):
        assert f"'{reason}'" in err
    assert "'malformed-event'" in err


@pytest.mark.parametrize(
    ("command", "first", "last"),
    [
        (["dead-letters", "list"], "--since", "--until"),
        (["dead-letters", "redrive"], "--since", "--until"),
        (["replay"], "--from", "--to"),
        (["outcomes"], "--since", "--until"),
        (["audit"], "--from", "--to"),
    ],
)
@pytest.mark.parametrize("end", ["2026-01-05T07:59:59Z", AT])
def test_a_stretch_of_time_that_ends_before_it_begins_is_refused(
    command: list[str], first: str, last: str, end: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*command, first, AT, last, end]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert f"'{last}': must be later than {first}." in err


def test_a_seed_without_a_sample_chooses_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", "--seed", "1"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "--seed goes with --sample N" in err
