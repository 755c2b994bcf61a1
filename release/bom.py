"""The bills of materials (CycloneDX), and the licences that they name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# What a bill made on a machine without the image can not have in it.
NOT_SEEN = (
    "Seen: the Python packages that the image is built with, from locks/image.txt, as they are "
    "installed on the machine that made this bill. Not seen: the packages of the base image "
    "(Debian, Python itself), and wheels for other platforms."
)


def annotate(path: Path, *, not_seen: str) -> None:
    """Say in the bill itself what it does not know."""
    bill = json.loads(path.read_text())
    properties = bill.setdefault("metadata", {}).setdefault("properties", [])
    properties.append({"name": "genesys-streams:seen", "value": not_seen})
    path.write_text(json.dumps(bill, indent=2, sort_keys=True) + "\n")


def left_out(bill: Mapping[str, Any], lock: str) -> list[str]:
    """The packages of a lock that are for this platform and that the bill does not name in that
    version."""
    pinned = [Requirement(line.rstrip("\\")) for line in lock.splitlines() if "==" in line]
    named = {
        f"{canonicalize_name(each['name'])}=={each.get('version')}" for each in bill["components"]
    }
    wanted = [
        f"{canonicalize_name(each.name)}{each.specifier}"
        for each in pinned
        if each.marker is None or each.marker.evaluate()
    ]
    return [each for each in wanted if each not in named]


def licences(bill: Mapping[str, Any]) -> list[str]:
    """One line for each component: name, version, licence."""
    rows = [(each["name"], each.get("version", ""), _licence(each)) for each in bill["components"]]
    width = max((len(f"{name} {version}") for name, version, _ in rows), default=0)
    return [f"{f'{name} {version}':{width}}  {licence}" for name, version, licence in sorted(rows)]


def _licence(component: Mapping[str, Any]) -> str:
    """What the package states: an SPDX expression or ids before free text, which may be a whole
    licence."""
    stated = component.get("licenses", ())
    exact = [each["expression"] for each in stated if "expression" in each]
    exact = exact or [each["license"]["id"] for each in stated if "id" in each.get("license", {})]
    free = [each["license"]["name"] for each in stated if "name" in each.get("license", {})]
    found = exact or [each.splitlines()[0] for each in free if each.strip()]
    return ", ".join(dict.fromkeys(found)) or "not stated"
