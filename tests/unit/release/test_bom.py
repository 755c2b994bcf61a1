"""Licences out of a bill of materials, and what it says of itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from release.bom import annotate, left_out, licences

BILL = {
    "components": [
        {"name": "b", "version": "2", "licenses": [{"expression": "MIT OR Apache-2.0"}]},
        {
            "name": "a",
            "version": "1.0",
            "licenses": [
                {"license": {"name": "License :: OSI Approved :: MIT License"}},
                {"license": {"id": "MIT"}},
            ],
        },
        {"name": "text", "version": "1", "licenses": [{"license": {"name": "BSD\nRedistribu"}}]},
        {"name": "silent", "version": "1"},
    ]
}


def test_one_line_for_each_component() -> None:
    assert licences(BILL) == [
        "a 1.0     MIT",
        "b 2       MIT OR Apache-2.0",
        "silent 1  not stated",
        "text 1    BSD",
    ]


@pytest.mark.parametrize(
    ("lock", "missing"),
    [
        ("a==1.0 \\\n    --hash=sha256:00\nb==2 \\\n    --hash=sha256:00\n", []),
        ("A==1.0 \\\n", []),
        ("a==1.1 \\\n", ["a==1.1"]),
        ("c==3 \\\n", ["c==3"]),
        ("c==3 ; sys_platform == 'win32' \\\n", []),
        ("c==3 ; sys_platform != 'win32' \\\n", ["c==3"]),
    ],
)
def test_every_package_of_the_lock_is_named(lock: str, missing: list[str]) -> None:
    assert left_out(BILL, lock) == missing


def test_a_bill_says_what_it_has_not_seen(tmp_path: Path) -> None:
    path = tmp_path / "bill.json"
    path.write_text(json.dumps(BILL | {"metadata": {"properties": [{"name": "x"}]}}))
    annotate(path, not_seen="the base image")
    properties = json.loads(path.read_text())["metadata"]["properties"]
    assert properties[1:] == [{"name": "genesys-streams:seen", "value": "the base image"}]
