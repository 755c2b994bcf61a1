"""SQS takes up to ten messages in one request and answers for each of them. Plain values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

# SQS's limit for one request, whatever it asks for.
MOST = 10

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answers(Generic[T]):
    """What came of each message of a batch. ``again``: SQS failed, the same request may succeed.
    ``lost``: it never will, because the receipt is not valid any more."""

    done: Sequence[T]
    again: Sequence[T]
    lost: Sequence[T]


def batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """The items in their order, at most ten at a time."""
    for begin in range(0, len(items), MOST):
        yield items[begin : begin + MOST]


def entry_id(index: int) -> str:
    """The name of a message within its batch: its place there."""
    return str(index)


def answers(batch: Sequence[T], answer: Mapping[str, Any]) -> Answers[T]:
    """Reads the answer to a batch. Never raises. What is not mentioned in it is to be tried again:
    a message that counted as deleted and was not would come again without being expected."""
    refused = {each.get("Id"): each for each in _entries(answer, "Failed")}
    succeeded = {each.get("Id") for each in _entries(answer, "Successful")} - refused.keys()
    done, again, lost = [], [], []
    for index, item in enumerate(batch):
        name = entry_id(index)
        if name in succeeded:
            done.append(item)
        elif name in refused and _is_final(refused[name]):
            lost.append(item)
        else:
            again.append(item)
    return Answers(done, again, lost)


def _entries(answer: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    entries = answer.get(name)
    if not isinstance(entries, list):
        return []
    return [
        each for each in entries if isinstance(each, Mapping) and isinstance(each.get("Id"), str)
    ]


def _is_final(refusal: Mapping[str, Any]) -> bool:
    # To send too fast is the sender's fault, too, but it passes.
    return refusal.get("SenderFault") is True and "throttl" not in str(refusal.get("Code")).lower()
