"""The alert rules, tried with promtool: what makes each fire, and what does not."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support.alerts import RULES, alerts, expressions

pytestmark = pytest.mark.promtool

CASES = Path(__file__).parent / "alerts"


def run(promtool: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [promtool, *arguments], capture_output=True, text=True, check=False, timeout=120
    )


def test_prometheus_takes_the_rules(promtool: Path) -> None:
    done = run(promtool, "check", "rules", "--lint-fatal", RULES)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(alerts())} rules found" in done.stdout


def test_prometheus_takes_its_configuration(promtool: Path) -> None:
    done = run(promtool, "check", "config", "--syntax-only", RULES.parent / "prometheus.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("case", sorted(CASES.glob("*.yaml")), ids=lambda path: path.stem)
def test_alerts_fire_when_they_should_and_not_else(promtool: Path, case: Path) -> None:
    done = run(promtool, "test", "rules", case)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_is_seen_to_fire_and_not_to_fire() -> None:
    fired: set[str] = set()
    silent: set[str] = set()
    for path in CASES.glob("*.yaml"):
        for test in yaml.safe_load(path.read_text())["tests"]:
            for each in test["alert_rule_test"]:
                (fired if each.get("exp_alerts") else silent).add(each["alertname"])
    names = {rule["alert"] for rule in alerts()}
    assert (fired, silent) == (names, names)


def test_prometheus_understands_every_expression_of_a_dashboard(
    promtool: Path, tmp_path: Path
) -> None:
    """As a rule of its own, with Grafana's variables filled in."""
    filled = [
        text.replace("$__rate_interval", "5m").replace("$instance", ".*")
        for _, text in expressions()
    ]
    recorded = [{"record": f"number:{at}", "expr": text} for at, text in enumerate(filled)]
    rules = tmp_path / "rules.yaml"
    rules.write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": recorded}]}))
    done = run(promtool, "check", "rules", rules)
    assert done.returncode == 0, done.stdout + done.stderr
