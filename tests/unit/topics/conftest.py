"""The schemas as validators, with the references between them resolved."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from streams.kafka.declaration import declared_directory

Schema = Callable[..., Draft202012Validator]


@pytest.fixture(scope="session")
def schema() -> Schema:
    """``schema("outcome")`` validates outcomes, ``schema("outcome", "#/$defs/time")`` a part."""
    files = (declared_directory() / "schemas").iterdir()
    registry: Registry[Any] = Registry().with_resources(
        (path.name, Resource.from_contents(json.loads(path.read_text()))) for path in files
    )

    def validator(kind: str, part: str = "") -> Draft202012Validator:
        return Draft202012Validator(
            {"$ref": f"{kind}.schema.json{part}"},
            registry=registry,
            format_checker=Draft202012Validator.FORMAT_CHECKER,
        )

    return validator
