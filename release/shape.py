"""What a JSON Schema says of the fields of a value: which there are, of which types, and which are
always there. Limits of length, size and form are no part of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any

# Every type of JSON Schema. A whole number is a number too: where a schema says `number` it is
# both.
ANY = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})

# Gives the schema that a `$ref` leads to, and the resolver for the references within it.
Resolver = Callable[[str], "tuple[Any, Resolver]"]


@dataclass(frozen=True, slots=True)
class Shape:
    """``values``: the only ones allowed, as JSON; None when any is. ``items``: of an array."""

    types: frozenset[str] = ANY
    values: frozenset[str] | None = None
    fields: Mapping[str, Shape] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    items: Shape | None = None

    def __and__(self, other: Shape) -> Shape:
        """What holds of a value that both describe."""
        return Shape(
            self.types & other.types,
            _narrowed(self.values, other.values),
            _merged(self.fields, other.fields, Shape.__and__),
            self.required | other.required,
            _either_or_both(self.items, other.items, Shape.__and__),
        )

    def __or__(self, other: Shape) -> Shape:
        """What holds of a value that one of the two describes. An alternative that is no object,
        such as null, takes no field away."""
        objects = [each for each in (self, other) if "object" in each.types]
        fields = _merged(self.fields, other.fields, Shape.__or__)
        unsaid = {name for each in objects for name in fields.keys() - each.fields.keys()}
        # What one of them says nothing of may be anything there.
        loose = {name: replace(fields[name], types=ANY, values=None) for name in unsaid}
        always = [each.required for each in objects]
        return Shape(
            self.types | other.types,
            None if self.values is None or other.values is None else self.values | other.values,
            {**fields, **loose},
            frozenset.intersection(*always) if always else frozenset(),
            _either_or_both(self.items, other.items, Shape.__or__),
        )


def shape_of(schema: Any, resolve: Resolver) -> Shape:
    """The shape of a schema of draft 2020-12. ``if`` itself says nothing; its two ways are
    alternatives.

    Raises RecursionError for a schema that contains itself: ours do not.
    """
    if not isinstance(schema, dict):  # `true`
        return Shape()
    parts = [_own(schema, resolve)]
    if "$ref" in schema:
        parts.append(shape_of(*resolve(schema["$ref"])))
    parts += [shape_of(each, resolve) for each in schema.get("allOf", ())]
    for alternatives in ("oneOf", "anyOf"):
        if alternatives in schema:
            each = (shape_of(each, resolve) for each in schema[alternatives])
            parts.append(reduce(Shape.__or__, each))
    if "if" in schema:
        ways = (shape_of(schema.get(way, True), resolve) for way in ("then", "else"))
        parts.append(reduce(Shape.__or__, ways))
    return reduce(Shape.__and__, parts)


def _own(schema: Mapping[str, Any], resolve: Resolver) -> Shape:
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    said = schema.get("type", ANY if values is None else sorted(map(_type, values)))
    types = frozenset([said] if isinstance(said, str) else said)
    elements = [*schema.get("prefixItems", ())]
    if isinstance(schema.get("items"), dict):
        elements.append(schema["items"])
    return Shape(
        types | {"integer"} if "number" in types else types,
        None if values is None else frozenset(map(json.dumps, values)),
        {name: shape_of(each, resolve) for name, each in schema.get("properties", {}).items()},
        frozenset(schema.get("required", ())),
        reduce(Shape.__or__, (shape_of(each, resolve) for each in elements)) if elements else None,
    )


def _type(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
    return "object"


def _narrowed(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    if one is None or other is None:
        return other if one is None else one
    return one & other


def _merged(
    one: Mapping[str, Shape], other: Mapping[str, Shape], merge: Callable[[Shape, Shape], Shape]
) -> Mapping[str, Shape]:
    alike = {name: merge(one[name], other[name]) for name in one.keys() & other.keys()}
    return {**one, **other, **alike}


def _either_or_both(
    one: Shape | None, other: Shape | None, merge: Callable[[Shape, Shape], Shape]
) -> Shape | None:
    if one is None or other is None:
        return other if one is None else one
    return merge(one, other)
