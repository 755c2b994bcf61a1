"""The locks agree with pyproject.toml and constraints.txt: ``make lock`` writes all of them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.documents import ROOT

LOCKS = sorted((ROOT / "locks").iterdir())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

# `name==version`, a marker perhaps, and at least one hash.
HASHED = re.compile(
    r"(?:\S+==\S+(?: ; [^\\\n]+)? \\\n(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)+"
)


def pins(path: Path) -> dict[str, set[str]]:
    """The versions of each package; by its marker there may be several."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([\w.\[\]-]+)==(\S+)", path.read_text(), re.MULTILINE):
        found.setdefault(canonicalize_name(name), set()).add(version)
    return found


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_pin_has_a_hash(lock: Path) -> None:
    assert HASHED.fullmatch(lock.read_text())
    assert len(pins(lock)) > 20


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_no_pin_is_another_than_that_of_the_constraints(lock: Path) -> None:
    tested = pins(ROOT / "constraints.txt")
    assert {
        name: versions
        for name, versions in pins(lock).items()
        if not versions <= tested.get(name, versions)
    } == {}


def test_each_lock_has_what_is_asked_for() -> None:
    wheel = PROJECT["project"]["dependencies"]
    extras = PROJECT["project"]["optional-dependencies"]
    wanted = {
        "wheel.txt": wheel,
        "image.txt": [*wheel, *extras["msk"], *extras["sqs"]],
        "release.txt": PROJECT["dependency-groups"]["release"],
    }
    assert {path.name for path in LOCKS} == wanted.keys()
    for name, requirements in wanted.items():
        locked = pins(ROOT / "locks" / name)
        for requirement in map(Requirement, requirements):
            versions = locked[canonicalize_name(requirement.name)]
            assert all(requirement.specifier.contains(version) for version in versions)
