"""Error texts for settings that are missing or wrong. They never quote a value: it may be a secret
that was put in the wrong place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Literal, TypeVar, get_args, get_origin

from pydantic.fields import FieldInfo

from streams.errors import SettingsError

T = TypeVar("T")

# Kubernetes sets NAME_PORT in every pod to the address of the Service of that name.
_SERVICE_LINK = re.compile(r"(tcp|udp|sctp)://.*", re.DOTALL)


def all_of(*checks: Callable[[], T]) -> list[T]:
    """The results of the checks. Raises one SettingsError with the problems of all of them."""
    results: list[T] = []
    problems: list[str] = []
    for check in checks:
        try:
            results.append(check())
        except SettingsError as exc:
            problems += exc.problems
    if problems:
        raise SettingsError(*first_of_each(problems)) from None
    return results


def first_of_each(problems: Iterable[str]) -> list[str]:
    """The first problem of each variable: its other problems follow from the first."""
    text: dict[str, str] = {}
    for problem in problems:
        text.setdefault(problem.partition(": ")[0], problem)
    return list(text.values())


def required(name: str, value: T | None, hint: str = "") -> T:
    """The value. Raises SettingsError when there is none."""
    if not value:
        raise SettingsError(f"{name}: required{f', {hint}' if hint else ''}, but not set")
    return value


def wrong(name: str, field: FieldInfo, value: object) -> str:
    """The problem in words: which values the variable may have, and what to do."""
    variable = name.upper()
    if name.endswith("_port") and isinstance(value, str) and _SERVICE_LINK.fullmatch(value):
        service = name.removesuffix("_port").replace("_", "-")
        return (
            f"{variable}: must be {_allowed(field)}; Kubernetes has set it to the address of the "
            f"Service named {service}: set enableServiceLinks: false in the pod's spec, rename the "
            f"Service, or set {variable} in the container's env"
        )
    text = f"{variable}: must be {_allowed(field)}; correct it, or unset it"
    if field.default is None:
        return text
    default = "false" if field.default is False else field.default
    return f"{text} for the default, {default}"


def _allowed(field: FieldInfo) -> str:
    if field.description:
        return field.description
    kinds = (field.annotation, *get_args(field.annotation))
    literals = [get_args(kind) for kind in kinds if get_origin(kind) is Literal]
    if literals:
        *others, last = literals[0]
        return f"{', '.join(others)} or {last}"
    if field.annotation is bool:
        return "true or false"
    if field.annotation is int:
        return f"a whole number{_bounds(field)}"
    if field.annotation is float:
        return f"a finite number{_bounds(field)}"
    return "text in UTF-8"


def _bounds(field: FieldInfo) -> str:
    bounds: dict[str, float] = {}
    for limit in field.metadata:
        bounds |= {
            name: getattr(limit, name) for name in ("gt", "ge", "le") if hasattr(limit, name)
        }
    match bounds:
        case {"ge": least, "le": most}:
            return f" from {least} to {most}"
        case {"gt": below, "le": most}:
            return f" above {below} and at most {most}"
        case {"ge": least}:
            return f" of at least {least}"
        case {"gt": below}:
            return f" above {below}"
    return ""
