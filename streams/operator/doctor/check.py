"""What was looked at, what was found, and what to do about it: one line each."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec


class Result(StrEnum):
    """``warning``: it works, or may work, and somebody should know."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


class Check(msgspec.Struct, frozen=True):
    """One line. ``todo``: what to do; None where there is nothing to do."""

    check: str
    result: Result
    found: str
    todo: str | None = None

    def __str__(self) -> str:
        line = f"{self.result:<8} {self.check}: {self.found}"
        return f"{line}; {self.todo}" if self.todo else line


def ok(check: str, found: str) -> Check:
    return Check(check, Result.OK, found)


def warning(check: str, found: str, todo: str) -> Check:
    return Check(check, Result.WARNING, found, todo)


def failed(check: str, found: str, todo: str | None = None) -> Check:
    """``todo`` may be None where ``found`` is an error's text, which says what to do itself."""
    return Check(check, Result.FAILED, found, todo)


def exit_code(checks: Iterable[Check]) -> int:
    """1 if any has failed (contract, Commands)."""
    return int(any(each.result is Result.FAILED for each in checks))
