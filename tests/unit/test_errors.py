"""The error tree is what its module says it is."""

from __future__ import annotations

import inspect
import re

import pytest

from streams import errors
from streams.errors import ApiError, EnvelopeError, RateLimited, StreamsError

CLASSES: dict[str, type[StreamsError]] = {
    name: kind
    for name, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, StreamsError)
}

# Errors after which the very same call may succeed, without anybody changing anything.
RETRIABLE = {
    "PublishError",
    "Unauthorized",
    "RateLimited",
    "ServerError",
    "ApiTimeout",
    "CircuitOpen",
    "InternalError",
    "ConnectionLost",
}


def described() -> dict[str, str | None]:
    """Each class of the docstring's drawing with the class it hangs from."""
    assert errors.__doc__ is not None
    parents: dict[str, str | None] = {}
    path: list[str] = []
    for line in errors.__doc__.splitlines():
        drawn = re.match(r"(?P<lines>[│├└─ ]*)(?P<name>[A-Z]\w+)(?:\s{2,}|$)", line)
        if drawn:
            depth = len(drawn["lines"]) // 4
            del path[depth:]
            parents[drawn["name"]] = path[-1] if path else None
            path.append(drawn["name"])
    return parents


def test_the_drawing_is_the_tree() -> None:
    written = {
        name: None if kind is StreamsError else kind.__bases__[0].__name__
        for name, kind in CLASSES.items()
    }
    assert described() == written


def test_every_error_has_one_parent_in_the_tree() -> None:
    assert all(len(kind.__bases__) == 1 for kind in CLASSES.values())
    strangers = {kind for _, kind in inspect.getmembers(errors, inspect.isclass)}
    assert strangers == set(CLASSES.values())


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_each_says_whether_to_try_again(name: str) -> None:
    assert CLASSES[name].retriable is (name in RETRIABLE)


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_each_says_what_it_is_for(name: str) -> None:
    assert CLASSES[name].__doc__


def test_an_envelope_error_names_the_field_or_the_whole() -> None:
    assert EnvelopeError("x", "detail").field == "detail"
    assert EnvelopeError("x").field is None


@pytest.mark.parametrize("kind", ApiError.__subclasses__())
def test_an_api_error_carries_what_support_asks_for(kind: type[ApiError]) -> None:
    error = (
        RateLimited("no", retry_after=7.5, status=418, code="teapot", correlation_id="c-1")
        if kind is RateLimited
        else kind("no", status=418, code="teapot", correlation_id="c-1")
    )
    assert (error.status, error.code, error.correlation_id) == (418, "teapot", "c-1")
    assert str(error) == "no"
    assert error.maybe_applied is False


def test_a_rate_limit_says_for_how_long() -> None:
    error = RateLimited("slow down", retry_after=7.5)
    assert (error.retry_after, error.status) == (7.5, 429)


def test_a_failed_request_may_have_taken_effect() -> None:
    assert errors.ApiTimeout("no answer", maybe_applied=True).maybe_applied is True
