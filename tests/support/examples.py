"""How many examples a property gets that has more room, or less, than others."""

from __future__ import annotations

import hypothesis


def times(factor: float) -> int:
    """So many times what the profile gives each property (``tests/conftest.py``)."""
    return max(1, round(factor * hypothesis.settings().max_examples))
