"""Lengths of time, as a person says them."""

from __future__ import annotations

_SECOND, _MINUTE, _HOUR, _DAY = 1_000, 60_000, 3_600_000, 86_400_000


def length(ms: float | None) -> str:
    """``850 ms``, ``12.3 s``, ``4 min 10 s``, ``2 h 5 min``, ``348 d 4 h``; ``-`` for None.

    Two units at most: nobody asks for the milliseconds of a day. Less than no time, which clocks
    that differ give, has a minus sign.
    """
    if ms is None:
        return "-"
    sign, whole = ("-" if ms <= -0.5 else ""), round(abs(ms))
    if whole < _SECOND:
        return f"{sign}{whole} ms"
    if whole < _MINUTE:
        return f"{sign}{whole // 100 / 10:g} s"
    if whole < _HOUR:
        return sign + _two(whole, _MINUTE, "min", _SECOND, "s")
    if whole < _DAY:
        return sign + _two(whole, _HOUR, "h", _MINUTE, "min")
    return sign + _two(whole, _DAY, "d", _HOUR, "h")


def _two(whole: int, unit: int, name: str, smaller: int, smaller_name: str) -> str:
    rest = whole % unit // smaller
    return f"{whole // unit} {name}" + (f" {rest} {smaller_name}" if rest else "")
