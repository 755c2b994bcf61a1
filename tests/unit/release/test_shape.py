"""What is read out of a JSON Schema about its fields."""

from __future__ import annotations

from typing import Any

import pytest

from release.shape import ANY, Resolver, Shape, shape_of

STRING, NULL = {"type": "string"}, {"type": "null"}
NAMED = {"type": "object", "required": ["a"], "properties": {"a": STRING}}


def shape(schema: Any, **others: Any) -> Shape:
    def resolve(reference: str) -> tuple[Any, Resolver]:
        return others[reference], resolve

    return shape_of(schema, resolve)


@pytest.mark.parametrize(
    ("schema", "types"),
    [
        (True, ANY),
        ({}, ANY),
        (STRING, {"string"}),
        ({"type": ["string", "null"]}, {"string", "null"}),
        ({"type": "number"}, {"number", "integer"}),
        ({"const": 1}, {"integer"}),
        ({"enum": ["a", None, True, 1.5, [], {}]}, ANY),
        ({"oneOf": [STRING, NULL]}, {"string", "null"}),
        ({"anyOf": [STRING, {"type": "array"}], "type": ["array", "null"]}, {"array"}),
        ({"allOf": [{"type": ["string", "null"]}, {"type": ["null", "object"]}]}, {"null"}),
        ({"$ref": "other", "description": "beside it"}, {"boolean"}),
        ({"if": STRING, "then": STRING}, ANY),
    ],
)
def test_types(schema: Any, types: set[str]) -> None:
    assert shape(schema, other={"type": "boolean"}).types == types


def test_values() -> None:
    assert shape({"enum": ["a", 1]}).values == frozenset(['"a"', "1"])
    assert shape({"oneOf": [{"const": "a"}, {"const": "b"}]}).values == frozenset(['"a"', '"b"'])
    assert shape({"oneOf": [{"const": "a"}, STRING]}).values is None
    assert shape({"allOf": [{"enum": ["a", "b"]}, {"enum": ["b"]}]}).values == frozenset(['"b"'])


def test_a_field_of_an_object_that_may_be_null_is_still_always_there() -> None:
    assert shape({"oneOf": [NAMED, NULL]}).required == {"a"}


def test_a_field_of_one_of_two_objects_is_not_always_there() -> None:
    found = shape({"oneOf": [NAMED, {"type": "object"}]})
    assert found.required == set()
    assert found.fields["a"].types == ANY


def test_a_field_that_one_of_two_descriptions_demands_is_always_there() -> None:
    found = shape({"allOf": [NAMED, {"properties": {"a": {"enum": ["x"]}, "b": STRING}}]})
    assert found.required == {"a"}
    assert found.fields["a"].values == frozenset(['"x"'])
    assert found.fields.keys() == {"a", "b"}


def test_what_only_one_way_says_of_a_field_does_not_take_away_what_both_may_have() -> None:
    """As ``detail`` of an event, which may be null: then its fields are at the top level."""
    found = shape(
        {
            "properties": {"detail": {"type": ["object", "null"]}},
            "if": {"required": ["detail"]},
            "then": {"properties": {"detail": NAMED}},
            "else": NAMED,
        }
    )
    assert found.fields["detail"].types == {"object", "null"}
    assert found.fields["detail"].required == {"a"}
    assert found.required == set()


def test_elements_of_an_array() -> None:
    found = shape({"type": "array", "prefixItems": [STRING, NULL], "items": False})
    assert found.items == Shape(frozenset({"string", "null"}))
    assert shape({"type": "array", "items": NAMED}).items == shape(NAMED)
    assert shape({"oneOf": [NULL, {"type": "array", "items": STRING}]}).items == shape(STRING)
