"""The schemas as validators, with the references between them resolved."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from streams.kafka.declaration import declared_directory


def validator(kind: str, part: str = "") -> Draft202012Validator:
    """``validator("outcome")`` validates outcomes, ``validator("outcome", "#/$defs/time")`` a
    part."""
    return Draft202012Validator(
        {"$ref": f"{kind}.schema.json{part}"},
        registry=_registry(),
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )


@cache
def _registry() -> Registry[Any]:
    files = (declared_directory() / "schemas").iterdir()
    registry: Registry[Any] = Registry()
    return registry.with_resources(
        (path.name, Resource.from_contents(json.loads(path.read_text()))) for path in files
    )
