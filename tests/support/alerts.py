"""The alert rules and dashboards of deploy/observability, and the metrics that they name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

OBSERVABILITY = Path(__file__).resolve().parents[2] / "deploy" / "observability"
RULES = OBSERVABILITY / "alerts.yaml"
DASHBOARDS = sorted((OBSERVABILITY / "dashboards").glob("*.json"))

# Of our programs; what else PromQL has (functions, labels, `ALERTS`) has other beginnings.
_METRIC = re.compile(r"\b((?:genesys_streams|process)_\w+)(?!\w*=)")
_MATCHED = re.compile(r"(\w+)\{([^}]*)\}")
_LABEL = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"')


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions() -> Iterator[tuple[str, str]]:
    """Every PromQL expression, with where it is."""
    for rule in alerts():
        yield rule["alert"], rule["expr"]
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel.get("targets", ()):
                yield f"{path.name}: {panel['title']}", target["expr"]


def metrics_in(expression: str) -> set[str]:
    """The metrics of ours that it names. A label that has a metric's name is none."""
    return set(_METRIC.findall(_without_labels(expression)))


def labels_in(expression: str) -> Iterator[tuple[str, str]]:
    """Each metric with a label that it is asked for."""
    for metric, matchers in _MATCHED.findall(expression):
        yield from ((metric, label) for label in _LABEL.findall(matchers))


def _without_labels(expression: str) -> str:
    bare = re.sub(r"\{[^}]*\}", "", expression)
    return re.sub(r"\b(?:by|on|without)\s*\([^)]*\)", "", bare)
