"""Licences out of a bill of materials, and what it says of itself."""

from __future__ import annotations

import json
from pathlib import Path

from release.bom import annotate, licences

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


def test_a_bill_says_what_it_has_not_seen(tmp_path: Path) -> None:
    path = tmp_path / "bill.json"
    path.write_text(json.dumps(BILL | {"metadata": {"properties": [{"name": "x"}]}}))
    annotate(path, not_seen="the base image")
    properties = json.loads(path.read_text())["metadata"]["properties"]
    assert properties[1:] == [{"name": "genesys-streams:seen", "value": "the base image"}]
