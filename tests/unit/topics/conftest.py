"""The schemas as validators."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from jsonschema import Draft202012Validator

from tests.support.schemas import validator

Schema = Callable[..., Draft202012Validator]


@pytest.fixture(scope="session")
def schema() -> Schema:
    """``schema("outcome")`` validates outcomes, ``schema("outcome", "#/$defs/time")`` a part."""
    return validator
