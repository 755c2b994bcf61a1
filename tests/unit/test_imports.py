"""Which room of the package may know which: the core knows none, nothing knows the programs, and
no module knows itself through others. And that no test stands on another test."""

from __future__ import annotations

import ast
import statistics
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def modules(*folders: str) -> dict[str, Path]:
    """Every module below these folders by its name."""
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
    }


MODULES = modules("streams")

# What tries or releases the program and is no part of it.
TRIALS = modules("tests", "benchmarks", "release")

# Modules beside the rooms that stand on errors alone, and that every room may use.
GROUND = {
    *("addresses", "api_keys", "clock", "environment", "errors", "health_routes", "last_resort"),
    *("lengths", "listening", "queue_region", "refusal", "rolling_window", "skipping"),
    *("sockets", "stopping", "timestamps", "tls_files", "variables"),
}
SHARED = GROUND | {"core", "settings", "telemetry"}

# What each room may import beside itself.
MAY_IMPORT = {
    "core": {"errors", "timestamps"},
    "wire": {"clock", "core", "errors", "kafka", "timestamps"},
    "kafka": SHARED - {"settings", "telemetry"},
    "genesys": SHARED - {"telemetry"},
    "settings": GROUND | {"core", "kafka", "genesys"},
    "telemetry": GROUND,
    "bridge": SHARED | {"kafka", "wire"},
    "worker": SHARED | {"kafka", "genesys", "wire"},
    "operator": SHARED | {"kafka", "genesys", "wire"},
    "console": SHARED | {"kafka", "operator", "wire"},
    "local": SHARED | {"kafka", "wire"},
}

LONGEST, MEDIAN = 400, 130


def imported(module: str) -> Iterator[str]:
    """The modules, and the packages of others, that it names."""
    known = MODULES | TRIALS
    for node in ast.walk(ast.parse(known[module].read_text())):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            inner = {each for each in node.names if f"{node.module}.{each.name}" in known}
            yield from (f"{node.module}.{each.name}" for each in inner)
            if len(inner) < len(node.names):
                yield node.module


def room(module: str) -> str:
    """``core`` of ``streams.core.rules``; empty for ``streams`` itself."""
    return module.partition("streams")[2].removeprefix(".").partition(".")[0]


@pytest.mark.parametrize("name", [name for name in MODULES if room(name) in MAY_IMPORT])
def test_a_room_knows_only_those_below_it(name: str) -> None:
    known = {room(each) for each in imported(name) if each.partition(".")[0] == "streams"}
    assert known - {room(name), ""} - MAY_IMPORT[room(name)] == set()


def test_settings_know_the_values_of_a_room_and_not_the_room() -> None:
    known = {each for each in imported("streams.settings") if room(each) in {"kafka", "genesys"}}
    values = {f"streams.{each}.settings" for each in ("kafka", "genesys")}
    assert known == values | {f"streams.{each}.variables" for each in ("kafka", "genesys")}


def test_no_imports_go_in_a_circle() -> None:
    """Nor those that only a type checker or a single function makes: who reads a module has to read
    what is below it, and never the module itself again."""
    below = {name: {each for each in imported(name) if each in MODULES} for name in MODULES}
    # Raises a CycleError, which names the modules of a circle.
    assert set(TopologicalSorter(below).static_order()) == set(MODULES)


@pytest.mark.parametrize("name", [name for name in MODULES if room(name) in GROUND])
def test_the_ground_stands_on_errors_alone(name: str) -> None:
    known = {room(each) for each in imported(name) if each.partition(".")[0] == "streams"}
    assert known - {room(name)} <= {"errors"}


@pytest.mark.parametrize("name", [name for name in MODULES if room(name) == "core"])
def test_the_core_needs_msgspec_and_python_alone(name: str) -> None:
    """No I/O, no time but what is handed in: so all of it can be tried on plain values."""
    others = {each.partition(".")[0] for each in imported(name)} - {"streams", "msgspec"}
    assert others <= sys.stdlib_module_names
    assert others & {"asyncio", "datetime", "os", "socket", "threading", "time"} == set()


def test_no_module_is_too_long_to_be_read_at_once() -> None:
    """Tests as well; only of the program it is said how long the most are."""
    lines = {name: len(path.read_text().splitlines()) for name, path in (MODULES | TRIALS).items()}
    assert {name: each for name, each in lines.items() if each > LONGEST} == {}
    assert statistics.median(lines[name] for name in MODULES) < MEDIAN


# Folders of tests that others may import from: what is shared, and the two programs.
SHARED_BY_TESTS = {"tests.support", "tests.chaos", "tests.mutants"}


def unshared(module: str, other: str) -> bool:
    """Whether this module of the tests is none that the other one may import from."""
    folder, _, name = other.rpartition(".")
    if name.startswith("test_") or name == "conftest":
        return True
    return folder not in {*SHARED_BY_TESTS, module.rpartition(".")[0]}


def test_no_test_stands_on_another_test() -> None:
    """A test that is moved or taken away takes nothing along that others need."""
    wrong = {
        f"{name} imports {each}"
        for name in TRIALS
        for each in imported(name)
        if each.partition(".")[0] == "tests" and unshared(name, each)
    }
    assert wrong == set()


@pytest.mark.parametrize(
    ("other", "wrong"),
    [
        ("tests.support.world", False),
        ("tests.chaos.judge", False),
        ("tests.unit.core.beside", False),
        ("tests.unit.core.test_rules", True),
        ("tests.unit.core.conftest", True),
        ("tests.unit.genesys.beside", True),
    ],
)
def test_what_is_shared_is_distinguished_from_what_is_not(other: str, wrong: bool) -> None:
    assert unshared("tests.unit.core.test_inquiry", other) is wrong
